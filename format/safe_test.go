package format

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAppendSafe(t *testing.T) {
	tests := []struct{ name, in, want, lines string }{
		{"empty", "", "", ""},
		{"ASCII", "plain text ~", "plain text ~", "plain text ~"},
		{"printable UTF-8", "Grüße 温度 🌡", "Grüße 温度 🌡", "Grüße 温度 🌡"},
		{"terminal sequence", "\x1b]0;pwned\a\x1b[2J", `\x1b]0;pwned\x07\x1b[2J`, `\x1b]0;pwned\x07\x1b[2J`},
		{"lines", "a\tb\r\nc", `a\x09b\x0d\x0ac`, "a\tb\\x0d\nc"},
		{"DEL", "a\x7f", `a\x7f`, `a\x7f`},
		{"C1", "a\u0085\u009b", `a\u0085\u009b`, `a\u0085\u009b`},
		{"invalid UTF-8", "a\x85\xff\xe2\x82", `a\x85\xff\xe2\x82`, `a\x85\xff\xe2\x82`},
		{"bidirectional", "\u202eevil\u202c\u2066x\u2069", `\u202eevil\u202c\u2066x\u2069`, `\u202eevil\u202c\u2066x\u2069`},
		{"invisible", "a\u200bb\u200dc\ufeffd\u00ade", `a\u200bb\u200dc\ufeffd\u00ade`, `a\u200bb\u200dc\ufeffd\u00ade`},
		{"separators", "a\u2028b\u2029", `a\u2028b\u2029`, `a\u2028b\u2029`},
		{"tag characters", "a\U000e0041", `a\U000e0041`, `a\U000e0041`},
		{"noncharacters", "\ufffe\U0010ffff", `\ufffe\U0010ffff`, `\ufffe\U0010ffff`},
		{"more noncharacters", "\ufdd0\ufdef", `\ufdd0\ufdef`, `\ufdd0\ufdef`},
		{"fillers", "\u115f\u1160\u3164\uffa0", `\u115f\u1160\u3164\uffa0`, `\u115f\u1160\u3164\uffa0`},
		{"Latin-1", "\u00a0\u00a3\u00b0\u00ff", "\u00a0\u00a3\u00b0\u00ff", "\u00a0\u00a3\u00b0\u00ff"},
		{"replacement character", "\ufffd", "\ufffd", "\ufffd"},
		{"JSON escapes", `{"a":"\"x\"\n"}`, `{"a":"\"x\"\n"}`, `{"a":"\"x\"\n"}`},
		{"look-alike escapes", `\x1b \u202e \U0001 \\`, `\\x1b \\u202e \\U0001 \\\`, `\\x1b \\u202e \\U0001 \\\`},
		{"backslash before an escape", "\\\x1b\\é\\", `\\\x1b\é\`, `\\\x1b\é\`},
		{"backslash before a line feed", "\\\n", `\\\x0a`, "\\\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(">"+tt.want, string(AppendSafe([]byte(">"), []byte(tt.in)))); diff != "" {
				t.Errorf("AppendSafe (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(">"+tt.lines, string(AppendSafeLines([]byte(">"), []byte(tt.in)))); diff != "" {
				t.Errorf("AppendSafeLines (-want +got):\n%s", diff)
			}
		})
	}
}

func safeClean() func() {
	in := []byte(strings.Repeat(`{"sensor":"a/b","value":21.5}`, 10))
	buf := make([]byte, 0, 1024)
	return func() { buf = AppendSafe(buf[:0], in) }
}

func TestAppendSafeAllocs(t *testing.T) {
	if n := testing.AllocsPerRun(100, safeClean()); n != 0 {
		t.Errorf("%v allocations for clean ASCII, want 0", n)
	}
}

func BenchmarkAppendSafe(b *testing.B) {
	f := safeClean()
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

// unescape undoes AppendSafe: that it can shows that no two inputs look the same.
func unescape(t *testing.T, s string) []byte {
	var out []byte
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		n := digits[s[i+1]]
		switch {
		case s[i+1] == '\\':
			out = append(out, '\\')
			i++
		case n > 0:
			v, err := strconv.ParseUint(s[i+2:i+2+n], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			if n == 2 {
				out = append(out, byte(v))
			} else {
				out = utf8.AppendRune(out, rune(v))
			}
			i += n + 1
		default:
			out = append(out, '\\')
		}
	}
	return out
}

// checkSafe fails unless s can be shown on a terminal.
func checkSafe(t *testing.T, s []byte, lines bool) {
	t.Helper()
	if !utf8.Valid(s) {
		t.Fatalf("invalid UTF-8 in %q", s)
	}
	for _, r := range string(s) {
		if r < 0x20 && !(lines && (r == '\n' || r == '\t')) || r >= 0x7f && hostile(r) || r == 0x7f {
			t.Fatalf("%U in %q", r, s)
		}
	}
}

func FuzzAppendSafe(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[0m", "\\x1b\\", "\u202e", "\x85\u0085", "a\r\n\tb", "\\\\\x00", "\U000e0041"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, lines := range []bool{false, true} {
			out := appendSafe(nil, in, lines)
			checkSafe(t, out, lines)
			if !bytes.Equal(appendSafe(nil, string(in), lines), out) {
				t.Fatal("strings and bytes differ")
			}
			if back := unescape(t, string(out)); !bytes.Equal(back, in) {
				t.Fatalf("%q came back as %q", in, back)
			}
		}
	})
}
