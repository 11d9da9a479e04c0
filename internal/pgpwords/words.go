// Package pgpwords turns bytes into words that people read aloud and compare: the PGP word list of
// Patrick Juola and Philip Zimmermann, 1995 (https://philzimmermann.com/docs/PGP_word_list.pdf). Bytes
// at even places have words of two syllables, those at odd places words of three: a word that is
// left out, said twice or swapped is noticed.
package pgpwords

// Of is the word of each byte.
func Of(bytes []byte) []string {
	words := make([]string, len(bytes))
	for i, b := range bytes {
		words[i] = even[b]
		if i%2 == 1 {
			words[i] = odd[b]
		}
	}
	return words
}
