package zoo

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrite(t *testing.T) {
	z, err := Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = filepath.WalkDir(z.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(z.Dir, path)
			got = append(got, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"capath/ca.pem", "client-encrypted.key", "client-encrypted-legacy.key"}
	for _, name := range strings.Fields("ca other-ca twin-ca expired-ca server other-host wildcard expired not-yet " +
		"self-signed wrong-ca cn-only wrong-usage hostile constrained-ca outside client client-expired client-other-ca") {
		want = append(want, name+".pem", name+".key")
		if _, err := tls.LoadX509KeyPair(z.Path(name+".pem"), z.Path(name+".key")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWriteFails(t *testing.T) {
	if z, err := Write(filepath.Join(t.TempDir(), "missing")); err == nil || z != nil {
		t.Errorf("Write into a missing directory: %v, %v", z, err)
	}
}
