package image

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// libraryDirs are where Debian's dynamic linker looks, for the architectures that Go's names
// tell; other distributions on amd64 and arm64 use the last four.
var libraryDirs = []string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
	"/lib64", "/usr/lib64", "/lib", "/usr/lib",
}

// Program answers the entries for a program at dest: the program, the dynamic linker that its
// header names and every shared library it needs, directly or through others.
func Program(source, dest string) ([]Entry, error) {
	first, err := File(source, dest)
	if err != nil {
		return nil, err
	}
	entries := []Entry{first}
	interpreter, err := interpreterOf(source)
	if err != nil {
		return nil, fmt.Errorf("read the program %s: %w", source, err)
	}
	if interpreter != "" {
		entry, err := File(interpreter, interpreter)
		if err != nil {
			return nil, fmt.Errorf("dynamic linker of %s: %w", source, err)
		}
		entries = append(entries, entry)
	}
	libraries, err := librariesOf(source)
	if err != nil {
		return nil, err
	}
	for _, library := range libraries {
		if library == interpreter {
			continue
		}
		entry, err := File(library, library)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// File is the entry for one file, executable if the source is.
func File(source, dest string) (Entry, error) {
	info, err := os.Stat(source)
	if err != nil {
		return Entry{}, fmt.Errorf("file for the image: %w", err)
	}
	data, err := os.ReadFile(source)
	if err != nil {
		return Entry{}, fmt.Errorf("file for the image: %w", err)
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return Entry{Path: dest, Data: data, Mode: mode}, nil
}

func interpreterOf(file string) (string, error) {
	program, err := elf.Open(file)
	if err != nil {
		return "", err
	}
	defer program.Close()
	for _, segment := range program.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		text := make([]byte, segment.Filesz)
		if _, err := segment.ReadAt(text, 0); err != nil {
			return "", err
		}
		return strings.TrimRight(string(text), "\x00"), nil
	}
	return "", nil
}

// librariesOf finds the libraries of a program, each once, in the order they are needed.
func librariesOf(file string) ([]string, error) {
	var found []string
	seen := map[string]bool{}
	for queue := []string{file}; len(queue) > 0; queue = queue[1:] {
		names, dirs, err := needs(queue[0])
		if err != nil {
			return nil, fmt.Errorf("read the libraries that %s needs: %w", queue[0], err)
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			library, err := locate(name, dirs)
			if err != nil {
				return nil, fmt.Errorf("%s needs %s: %w", queue[0], name, err)
			}
			found = append(found, library)
			queue = append(queue, library)
		}
	}
	return found, nil
}

// needs answers the libraries that a file names and the directories it wants them looked for in.
func needs(file string) (names, dirs []string, err error) {
	object, err := elf.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer object.Close()
	if names, err = object.ImportedLibraries(); err != nil {
		return nil, nil, err
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, err := object.DynString(tag)
		if err != nil {
			return nil, nil, err
		}
		for _, value := range values {
			for dir := range strings.SplitSeq(value, ":") {
				origin := filepath.Dir(file)
				dirs = append(dirs, strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin).Replace(dir))
			}
		}
	}
	return names, dirs, nil
}

func locate(name string, dirs []string) (string, error) {
	for _, dir := range append(dirs, libraryDirs...) {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("not in %s", strings.Join(append(dirs, libraryDirs...), ", "))
}
