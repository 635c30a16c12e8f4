package image

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

// Run is the command `devcluster image`.
func Run(args []string) error {
	var s Spec
	fs := flag.NewFlagSet("devcluster image", flag.ContinueOnError)
	fs.StringVar(&s.Name, "name", "", "name of the image, as in localhost/punctual:dev")
	out := fs.String("out", "", "archive to write")
	fs.StringVar(&s.User, "user", "", "user and group that the program runs as, as in 65532:65532")
	fs.Func("entrypoint", "program to run and its fixed arguments; repeatable, one word each", func(word string) error {
		s.Entrypoint = append(s.Entrypoint, word)
		return nil
	})
	fs.Func("file", "SRC:DEST, a file to add; repeatable", func(pair string) error {
		source, dest, err := split(pair)
		if err != nil {
			return err
		}
		entry, err := File(source, dest)
		s.Entries = append(s.Entries, entry)
		return err
	})
	fs.Func("elf", "SRC:DEST, a program to add with the shared libraries it needs; repeatable", func(pair string) error {
		source, dest, err := split(pair)
		if err != nil {
			return err
		}
		entries, err := Program(source, dest)
		s.Entries = append(s.Entries, entries...)
		return err
	})
	fs.BoolFunc("busybox", "add this machine's static busybox and its programs", func(string) error {
		entries, err := Busybox()
		s.Entries = append(s.Entries, entries...)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return err
	}
	if s.Name == "" || *out == "" || fs.NArg() > 0 {
		return errors.New("usage: devcluster image --name NAME --out FILE.tar [flags]; see --help")
	}
	return writeFile(*out, s)
}

func split(pair string) (source, dest string, err error) {
	source, dest, found := strings.Cut(pair, ":")
	if !found || source == "" || !strings.HasPrefix(dest, "/") {
		return "", "", fmt.Errorf("%q: give SRC:DEST with an absolute DEST", pair)
	}
	return source, dest, nil
}

// writeFile replaces the file in one step.
func writeFile(path string, s Spec) error {
	temporary := path + ".new"
	file, err := os.Create(temporary)
	if err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	defer os.Remove(temporary)
	if err := errors.Join(Write(file, s), file.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
