package image

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

var example = Spec{
	Name: "localhost/example:dev", User: "65532:65532", Entrypoint: []string{"/opt/tool", "serve"},
	Entries: []Entry{
		{Path: "/opt/tool", Data: []byte("tool"), Mode: 0o755},
		{Path: "/opt/alias", Target: "/opt/tool"},
		{Path: "/etc/passwd", Data: []byte("other"), Mode: 0o600},
	},
}

func TestImageHoldsWhatWasAskedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := writeFile(file, example); err != nil {
		t.Fatal(err)
	}
	tag, _ := name.NewTag(example.Name)
	image, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, example.Entrypoint) || config.OS != "linux" {
		t.Errorf("config %+v", config)
	}
	contents := map[string]string{}
	var order []string
	reader := tar.NewReader(mutate.Extract(image))
	for {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(reader)
		contents[header.Name] = header.FileInfo().Mode().String() + " " + string(data) + header.Linkname
		order = append(order, header.Name)
	}
	for path, want := range map[string]string{
		"opt/tool": "-rwxr-xr-x tool", "opt/alias": "Lrwxrwxrwx /opt/tool", "etc/passwd": "-rw------- other",
		"tmp": "dtrwxrwxrwx ", "opt": "drwxr-xr-x ",
	} {
		if contents[path] != want && contents[path+"/"] != want {
			t.Errorf("%s: %q, wanted %q (all: %v)", path, contents[path], want, order)
		}
	}
}

func TestSameContentMakesTheSameBytes(t *testing.T) {
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := Write(out, example); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two images of one content differ")
	}
}

func TestRelativeDestinationsAreRefused(t *testing.T) {
	if err := Write(io.Discard, Spec{Name: "localhost/x:dev", Entries: []Entry{{Path: "bin/x"}}}); err == nil {
		t.Error("accepted")
	}
	for _, pair := range []string{"src", "src:", ":/dest", "src:dest"} {
		if _, _, err := split(pair); err == nil {
			t.Errorf("accepted %q", pair)
		}
	}
}

func TestProgramBringsItsLibrariesAndLinker(t *testing.T) {
	entries, err := Program("/bin/sh", "/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	var libc, linker bool
	for _, entry := range entries {
		libc = libc || filepath.Base(entry.Path) == "libc.so.6"
		linker = linker || filepath.Base(entry.Path) == "ld-linux-x86-64.so.2" || filepath.Base(entry.Path) == "ld-linux-aarch64.so.1"
		if len(entry.Data) == 0 || entry.Target != "" {
			t.Errorf("%s is not a file with content", entry.Path)
		}
	}
	if !libc || !linker {
		t.Errorf("libc %v, linker %v in %d entries", libc, linker, len(entries))
	}
}

func TestStaticProgramBringsNothing(t *testing.T) {
	// Go's own tool is static.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if interpreter, err := interpreterOf(self); err != nil || interpreter != "" {
		t.Skipf("the test program is not static (%q, %v)", interpreter, err)
	}
	entries, err := Program(self, "/x")
	if err != nil || len(entries) != 1 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestMissingLibraryIsNamed(t *testing.T) {
	if _, err := locate("libnever.so.1", []string{"/nowhere"}); err == nil {
		t.Error("found")
	}
}
