// Package image makes container images without a container engine.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"runtime"
	"sort"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec says what an image holds.
type Spec struct {
	Name       string // as in localhost/punctual:dev
	User       string // as in 65532:65532; empty: root
	Entrypoint []string
	Command    []string
	Entries    []Entry
}

// Entry is a file, or a symbolic link where Target is set.
type Entry struct {
	Path   string // in the image, absolute
	Data   []byte
	Mode   int64
	Target string
}

// epoch is the time of everything: the same content makes the same image.
var epoch = time.Unix(0, 0).UTC()

var (
	directories = map[string]int64{"/dev": 0o755, "/etc": 0o755, "/proc": 0o755, "/sys": 0o755, "/tmp": 0o1777, "/run": 0o755, "/var": 0o755}
	accounts    = []Entry{
		{Path: "/etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/:/bin/sh\n")},
		{Path: "/etc/group", Mode: 0o644, Data: []byte("root:x:0:\nnonroot:x:65532:\n")},
	}
)

// Write writes the image as an archive that `devcluster load` and others read.
func Write(w io.Writer, s Spec) error {
	tag, err := name.NewTag(s.Name, name.WithDefaultRegistry("localhost"))
	if err != nil {
		return fmt.Errorf("image name %q: %w; give one as in localhost/punctual:dev", s.Name, err)
	}
	image, err := build(s)
	if err != nil {
		return fmt.Errorf("make the image %s: %w", s.Name, err)
	}
	if err := tarball.Write(tag, image, w); err != nil {
		return fmt.Errorf("write the image %s: %w", s.Name, err)
	}
	return nil
}

func build(s Spec) (v1.Image, error) {
	files, err := archive(append(append([]Entry{}, accounts...), s.Entries...))
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "devcluster image"},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", runtime.GOARCH, v1.Time{Time: epoch}
	config.Config = v1.Config{
		User: s.User, Entrypoint: s.Entrypoint, Cmd: s.Command, WorkingDir: "/",
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}
	return mutate.ConfigFile(image, config)
}

// archive is the layer: directories before what is in them, all in the order of their names. Of
// two entries with one path the later wins.
func archive(entries []Entry) ([]byte, error) {
	headers := map[string]*tar.Header{}
	contents := map[string][]byte{}
	for dir, mode := range directories {
		headers[dir] = &tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: mode}
	}
	for _, entry := range entries {
		file := path.Clean(entry.Path)
		if !path.IsAbs(file) || file == "/" {
			return nil, fmt.Errorf("%q is no absolute path of a file in an image", entry.Path)
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file[1:], Mode: entry.Mode, Size: int64(len(entry.Data))}
		if entry.Target != "" {
			header = &tar.Header{Typeflag: tar.TypeSymlink, Name: file[1:], Mode: 0o777, Linkname: entry.Target}
		}
		headers[file], contents[file] = header, entry.Data
		for dir := path.Dir(file); dir != "/"; dir = path.Dir(dir) {
			if headers[dir] == nil {
				headers[dir] = &tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755}
			}
		}
	}
	names := make([]string, 0, len(headers))
	for file := range headers {
		names = append(names, file)
	}
	sort.Strings(names)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, file := range names {
		header := headers[file]
		header.ModTime = epoch
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(contents[file]); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}
