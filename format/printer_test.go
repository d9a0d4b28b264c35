package format

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

func TestAppendPlain(t *testing.T) {
	tests := []struct {
		name           string
		o              PlainOptions
		payload        string
		want, wantNone string // for the payload, and for an empty one
	}{
		{"default", PlainOptions{}, "a\x00\xff\n", "a\x00\xff\n\n", ""},
		{"no newline", PlainOptions{NoNewline: true}, "abc", "abc", ""},
		{"verbose", PlainOptions{Verbose: true}, "abc", "a/b abc\n", "a/b (null)\n"},
		{"verbose, no newline", PlainOptions{Verbose: true, NoNewline: true}, "abc", "a/b abc", ""},
		{"safe", PlainOptions{Verbose: true, Safe: true}, "\x1b\n", "a/b \\x1b\\x0a\n", "a/b (null)\n"},
		{"safe lines", PlainOptions{Safe: true, Multiline: true}, "\x1b\nx", "\\x1b\nx\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(AppendPlain(nil, message("a/b", tt.payload), tt.o))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantNone, string(AppendPlain(nil, message("a/b", ""), tt.o))); diff != "" {
				t.Errorf("empty payload (-want +got):\n%s", diff)
			}
		})
	}
}

// printerOptions are the ways to print that the golden file and the failing-writer test cover.
func printerOptions(t *testing.T) map[string]Options {
	tpl, err := ParseTemplate(`@H:@M %t %q%r %p`)
	if err != nil {
		t.Fatal(err)
	}
	tplJSON, err := ParseTemplate(`%J`)
	if err != nil {
		t.Fatal(err)
	}
	colors := NewPalette(true)
	return map[string]Options{
		"plain":            {},
		"verbose":          {Verbose: true},
		"safe":             {Verbose: true, Safe: true},
		"color":            {Safe: true, Multiline: true, Palette: colors},
		"verbose color":    {Verbose: true, Safe: true, Palette: colors},
		"template":         {Template: tpl, Verbose: true},
		"template bare":    {Template: tpl, NoNewline: true},
		"template safe":    {Template: tpl, Safe: true, Palette: colors},
		"template pretty":  {Template: tplJSON, Pretty: true},
		"json":             {JSON: true, NoNewline: true, Palette: colors},
		"json embedded":    {JSON: true, EmbedJSON: true, Template: tpl},
		"json pretty":      {JSON: true, EmbedJSON: true, Pretty: true},
		"no newline":       {NoNewline: true},
		"verbose, no line": {Verbose: true, NoNewline: true},
	}
}

func TestPrinter(t *testing.T) {
	messages := []*packet.Message{
		message("home/kitchen", "21.5"),
		{Topic: "home/état", Payload: []byte("{\"on\": true,\n \"by\": \"\x1b[31mme\"}"), QoS: 1, Retain: true, PacketID: 9},
		{Topic: "home/door", Payload: []byte("open\nshut"), QoS: 2, Dup: true, PacketID: 10},
		message("home/empty", ""),
		message("home/bin", "\x00\xfe"),
		{Topic: "home/json", Payload: []byte(`{"id": 9007199254740993}`), Retain: true},
	}
	options := printerOptions(t)
	var names []string
	for name := range options {
		names = append(names, name)
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintf(&out, "== %s\n", name)
		for _, m := range messages {
			var b strings.Builder
			p := NewPrinter(&b, options[name])
			printed, err := p.Print(m, testTime)
			if err != nil {
				t.Fatal(err)
			}
			if printed != (b.Len() > 0) {
				t.Errorf("%s %s: printed is %v after %q", name, m.Topic, printed, b.String())
			}
			fmt.Fprintf(&out, "%q", b.String())
			if p.Problem() != 0 {
				fmt.Fprintf(&out, " problem: %v", p.Problem())
			}
			out.WriteString("\n")
		}
	}
	golden(t, "printer.txt", out.String())
}

func TestPrinterWriteErrors(t *testing.T) {
	for name, o := range printerOptions(t) {
		printed, err := NewPrinter(&fullWriter{}, o).Print(message("a", "1"), testTime)
		if !errors.Is(err, errFull) || printed {
			t.Errorf("%s: printed %v, error %v", name, printed, err)
		}
	}
}

func TestPrinterKeepsNoHugeBuffer(t *testing.T) {
	p := NewPrinter(io.Discard, Options{})
	if _, err := p.Print(message("a", strings.Repeat("x", 2*maxKeptBuffer)), testTime); err != nil {
		t.Fatal(err)
	}
	if cap(p.buf) > maxKeptBuffer {
		t.Errorf("kept %d bytes", cap(p.buf))
	}
}

func printVerbose() func() {
	p := NewPrinter(io.Discard, Options{Verbose: true, Safe: true, Palette: NewPalette(true)})
	m := message("plant/line/7/temperature", `{"value":21.5,"unit":"C"}`)
	return func() { p.Print(m, time.Time{}) }
}

func TestPrinterAllocs(t *testing.T) {
	if n := testing.AllocsPerRun(100, printVerbose()); n != 0 {
		t.Errorf("%v allocations per message, want 0", n)
	}
}

func BenchmarkPrinter(b *testing.B) {
	f := printVerbose()
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}
