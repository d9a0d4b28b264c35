package commands

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	forty := strings.TrimSpace(strings.Repeat("123456789 ", 4))
	for _, c := range []struct {
		name, text string
		column     int
		want       string
	}{
		{"nothing", "", 0, ""},
		{"short", "one  two", 4, "    one two"},
		{"exactly 80", forty + " " + forty + "1", 0, forty + " " + forty + "1"},
		{"81", forty + " " + forty + "12", 0, forty + " 123456789 123456789 123456789\n12345678912"},
		{"a word too long", strings.Repeat("x", 100) + " y", 2, "  " + strings.Repeat("x", 100) + "\n  y"},
	} {
		if diff := cmp.Diff(c.want, wrap(c.text, c.column)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestRow(t *testing.T) {
	var b strings.Builder
	row(&b, "  -a", 8, "short")
	row(&b, "  --longer", 8, "goes below")
	row(&b, "  --fits", 9, "needs two spaces or goes below")
	want := "  -a    short\n  --longer\n        goes below\n  --fits\n         needs two spaces or goes below\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExitHelpAscends(t *testing.T) {
	last := -1
	for _, s := range sortedStatuses() {
		if s.code <= last {
			t.Errorf("%d comes after %d", s.code, last)
		}
		last = s.code
	}
	if got := strings.Count(exitHelp(), "\n"); got != len(exitStatuses)+1 {
		t.Errorf("%d lines", got)
	}
}
