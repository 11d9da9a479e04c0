package main

/*
#include <malloc.h>

// All threads share the first arena of the C library (mallopt(3), M_ARENA_MAX), before a thread makes another:
// SQLite takes its memory from whatever thread a goroutine runs on, and glibc otherwise keeps what is
// free for each. A library without arenas lacks the name.
__attribute__((constructor)) static void one_arena(void) {
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
}
*/
import "C"
