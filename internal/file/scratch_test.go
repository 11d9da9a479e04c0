package file_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/file"
)

// scratch has a file in a scratch directory until its input ends.
func scratch(name string) error {
	dir, done, err := file.Scratch()
	if err != nil {
		return err
	}
	defer done()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		return err
	}
	fmt.Println(dir)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// user is a process that has a scratch directory.
type user struct {
	cmd *exec.Cmd
	end io.Closer
	dir string
}

// use starts a user whose temporary files are in top.
func use(t *testing.T, top string) (u user) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	u.cmd = exec.CommandContext(t.Context(), self, "scratch", "statement")
	u.cmd.Env = append(os.Environ(), "TMPDIR="+top)
	u.cmd.Stderr = t.Output()
	u.end, err = u.cmd.StdinPipe()
	must(t, err)
	out, err := u.cmd.StdoutPipe()
	must(t, err)
	must(t, u.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	u.dir = strings.TrimSuffix(line, "\n")
	return u
}

func (u user) ends(t *testing.T) {
	t.Helper()
	must(t, u.end.Close())
	must(t, u.cmd.Wait())
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestScratchKilled: what a process that was killed left is removed by the next one, and what a living one has stays.
func TestScratchKilled(t *testing.T) {
	top := t.TempDir()
	killed, lives := use(t, top), use(t, top)
	must(t, killed.cmd.Process.Kill())
	_ = killed.cmd.Wait()
	if !there(filepath.Join(killed.dir, "statement")) {
		t.Fatal("a process that was killed left nothing")
	}
	use(t, top).ends(t)
	if there(killed.dir) {
		t.Errorf("%s is still there", killed.dir)
	}
	if !there(filepath.Join(lives.dir, "statement")) {
		t.Error("the file of a living process is gone")
	}
	lives.ends(t)
	if left, err := os.ReadDir(top); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestScratchHostile: others may write among temporary files. What is not of the form that Scratch leaves stays: a link
// to a directory of this user's, one that others can open, one that is of another user.
func TestScratchHostile(t *testing.T) {
	top, home := t.TempDir(), t.TempDir()
	must(t, os.Chmod(top, 0o777|os.ModeSticky))
	plant := func(name string, mode os.FileMode) string {
		dir := filepath.Join(top, name)
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "kept"), nil, 0o600))
		must(t, os.Chmod(dir, mode))
		return filepath.Join(dir, "kept")
	}
	kept := []string{plant("kekceremony-scratch-open", 0o755), plant("kekceremony-rehearsal-1", 0o700),
		filepath.Join(home, "kept")}
	must(t, os.WriteFile(kept[2], nil, 0o600))
	must(t, os.Chmod(home, 0o700))
	must(t, os.Symlink(home, filepath.Join(top, "kekceremony-scratch-link")))
	if os.Geteuid() == 0 {
		kept = append(kept, plant("kekceremony-scratch-another", 0o700))
		must(t, os.Chown(filepath.Dir(kept[3]), 1, 1))
	}
	left := plant("kekceremony-scratch-left", 0o700)
	must(t, os.Symlink(home, filepath.Join(filepath.Dir(left), "link")))
	use(t, top).ends(t)
	for _, path := range kept {
		if !there(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if there(filepath.Dir(left)) {
		t.Errorf("%s is still there", filepath.Dir(left))
	}
}

// TestScratchRenamed: where others can rename, a directory of this user's may have got the name of one that was left.
func TestScratchRenamed(t *testing.T) {
	top := t.TempDir()
	must(t, os.Chmod(top, 0o777))
	dir := filepath.Join(top, "kekceremony-scratch-theirs")
	must(t, os.Mkdir(dir, 0o700))
	use(t, top).ends(t)
	if !there(dir) {
		t.Error("it is gone")
	}
}
