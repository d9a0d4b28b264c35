package format

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// frames writes each Write of a Watch as a quoted line.
type frames struct{ strings.Builder }

func (f *frames) Write(b []byte) (int, error) {
	fmt.Fprintf(&f.Builder, "%q\n", b)
	return len(b), nil
}

func TestWatch(t *testing.T) {
	tpl, err := ParseTemplate(`\e[31m%t=%p\n`)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    WatchOptions
		cols int
		rows []int // of the terminal at each message
		msgs [][2]string
	}{
		{"one line a topic", WatchOptions{Header: "Broker: localhost"}, 40, []int{10},
			[][2]string{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", ""}}},
		{"cut by cells", WatchOptions{Palette: NewPalette(true)}, 10, []int{10},
			[][2]string{{"温度", "21.5"}, {"温度", "21.55"}, {"温度", "温温"}, {"longer-than-it", "x"}, {"e\u0301e\u0301", "12345678"}, {"fits", "12345"}}},
		{"safe", WatchOptions{}, 60, []int{10}, [][2]string{{"a\x1b", "\x1b[2J\r\n\u202e"}}},
		{"more topics than lines", WatchOptions{Header: "h"}, 40, []int{5},
			[][2]string{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"}, {"c", "6"}, {"e", "7"}, {"b", "8"}}},
		{"resized", WatchOptions{}, 20, []int{4, 4, 4, 4, 9, 3}, [][2]string{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"a", "5"}, {"b", "6"}}},
		{"tiny", WatchOptions{Header: "header"}, 3, []int{1}, [][2]string{{"a", "1"}, {"b", "2"}}},
		{"unknown size", WatchOptions{}, 0, []int{0}, [][2]string{{"a", strings.Repeat("x", 100)}}},
		{"template", WatchOptions{Template: tpl}, 40, []int{10}, [][2]string{{"a", "1"}}},
	}
	var out strings.Builder
	for _, tt := range tests {
		fmt.Fprintf(&out, "== %s\n", tt.name)
		rows := tt.rows[0]
		tt.o.Size = func() (int, int) { return tt.cols, rows }
		var f frames
		wa := NewWatch(&f, tt.o)
		for i, kv := range tt.msgs {
			rows = tt.rows[min(i, len(tt.rows)-1)]
			before := f.Len()
			printed, err := wa.Print(message(kv[0], kv[1]), testTime)
			if err != nil {
				t.Fatal(err)
			}
			if f.Len() == before {
				f.WriteString("nothing\n")
			}
			if !printed {
				f.WriteString("not shown\n")
			}
		}
		if err := errors.Join(wa.Close(), wa.Close()); err != nil {
			t.Fatal(err)
		}
		out.WriteString(f.String())
	}
	golden(t, "watch.txt", out.String())
}

func TestWatchRetained(t *testing.T) {
	var f frames
	wa := NewWatch(&f.Builder, WatchOptions{Palette: NewPalette(true)})
	m := message("a", "1")
	for _, m.Retain = range []bool{true, false} {
		if _, err := wa.Print(m, testTime); err != nil {
			t.Fatal(err)
		}
	}
	want := "\x1b[?25l\x1b[H\x1b[2J\x1b[1;1H\x1b[2K\x1b[35ma\x1b[0m 1" + "\x1b[1;1H\x1b[2K\x1b[36ma\x1b[0m 1"
	if diff := cmp.Diff(want, f.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWatchWithoutMessages(t *testing.T) {
	var f frames
	if err := NewWatch(&f, WatchOptions{}).Close(); err != nil || f.Len() != 0 {
		t.Errorf("drew %s, error %v", f.String(), err)
	}
}

func TestWatchWriteErrors(t *testing.T) {
	wa := NewWatch(&fullWriter{writes: 1}, WatchOptions{})
	if printed, err := wa.Print(message("a", "1"), testTime); err != nil || !printed {
		t.Errorf("first: printed %v, error %v", printed, err)
	}
	if printed, err := wa.Print(message("a", "2"), testTime); !errors.Is(err, errFull) || printed {
		t.Errorf("second: printed %v, error %v", printed, err)
	}
	if err := wa.Close(); !errors.Is(err, errFull) {
		t.Errorf("close: error %v", err)
	}
}

func TestCutCells(t *testing.T) {
	tests := []struct {
		in    string
		limit int
		want  string
		cells int
	}{
		{"plain", 5, "plain", 5},
		{"plain", 4, "plai", 4},
		{"温度", 3, "温", 2},
		{"温度", 4, "温度", 4},
		{"e\u0301e\u0301", 1, "e\u0301", 1},
		{"🚀🚀", 3, "🚀", 2},
		{"🌡🚀", 4, "🌡🚀", 4},
		{"☀\ufe0fx", 2, "☀\ufe0f", 2},
		{"한글", 4, "한글", 4},
		{"ｆｕ", 2, "ｆ", 2},
		{"x", 0, "", 0},
	}
	for _, tt := range tests {
		got, cells := cutCells([]byte(tt.in), tt.limit)
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || cells != tt.cells {
			t.Errorf("%q to %d: %d cells (-want +got):\n%s", tt.in, tt.limit, cells, diff)
		}
	}
}
