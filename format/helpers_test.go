package format

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testTime is the receive time of all tests, in a zone with half hours.
var testTime = time.Date(2026, 11, 2, 9, 7, 5, 123456789, time.FixedZone("IST", 5*3600+1800))

// golden compares got with a file under testdata/golden/format, or with -update rewrites that file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "testdata", "golden", "format", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); rewrite it with -update:\n%s", name, diff)
	}
}

func message(topic, payload string) *packet.Message {
	return &packet.Message{Topic: topic, Payload: []byte(payload)}
}

var errFull = errors.New("no space left on device")

// fullWriter takes so many writes and fails from then on.
type fullWriter struct{ writes int }

func (w *fullWriter) Write(b []byte) (int, error) {
	if w.writes == 0 {
		return 0, errFull
	}
	w.writes--
	return len(b), nil
}
