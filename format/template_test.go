package format

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

func float32Payload(f float32) string {
	return string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
}

func float64Payload(f float64) string {
	return string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)))
}

func TestTemplateAppend(t *testing.T) {
	retained := func(payload string) *packet.Message {
		return &packet.Message{Topic: "a/b", Payload: []byte(payload), QoS: 1, Retain: true, PacketID: 7}
	}
	tests := []struct {
		name, format, payload, want string
	}{
		{"empty", "", "abc", ""},
		{"literal", "100é", "abc", "100é"},
		{"percent and at", "%%|%5%|@@|@%", "abc", "%|%|@|%"},
		{"escapes", `\\\0\a\e\n\r\t\v`, "abc", "\\\x00\a\x1b\n\r\t\v"},
		{"payload", "%p", "a\x00\xffb", "a\x00\xffb"},
		{"payload width", "%5p|%-5p|%05p|%-05p|%2p", "abc", "  abc|abc  |00abc|abc  |ab"},
		{"payload precision is ignored", "%.1p", "abc", "abc"},
		{"payload left without width", "%-p|", "abc", "abc|"},
		{"topic", "%t|%6t|%-6t|%06t|%.2t|%5.2t|%-5.2t|%.t", "", "a/b|   a/b|a/b   |   a/b|a/|   a/|a/   |"},
		{"length", "%l|%3l|%03l|%-3l|%-03l|%03.7l", "abc", "3|  3|003|3  |3  |003"},
		{"packet id", "%m|%05m", "", "7|00007"},
		{"flags", "%q%r|%5q%05r", "", "11|11"},
		{"hex", "%x|%X", "\xab\x01", "ab01|AB01"},
		{"hex width", "%6x|%-6x|%06X|%2x|%1x|", "\xab\x01", "  ab01|ab01  |00AB01|ab| |"},
		{"hex groups", "%.2:x|%.4-X|%.3x|%.2x|%:x", "\xab\x01\xcd", "ab:01:cd|AB01-CD|ab0 1cd|ab 01 cd|ab01cd"},
		{"hex groups and width", "%08.2:x|%-8.2:x|%8.4:x", "\xab\x01", "00:00:ab:01|ab:01    |    :ab01"},
		{"hex of nothing", "%x|%4x|%04.2:x", "", "|    |00:00"},
		{"iso time", "%I|%30I|%-30I|%.10I|%12.10I", "", "2026-11-02T09:07:05+0530|      2026-11-02T09:07:05+0530|2026-11-02T09:07:05+0530      |2026-11-02|  2026-11-02"},
		{"unix time", "%U", "", "1793590625.123456789"},
		{"nanoseconds", "@N", "", "123456789"},
		{"date", "@Y-@m-@d @F @D @C @y @G @g @V @u @w @U @W @j @e", "", "2026-11-02 2026-11-02 11/02/26 20 26 2026 26 45 1 1 44 44 306  2"},
		{"clock", "@H:@M:@S @T @R @r @I @k @l @p @P @s", "", "09:07:05 09:07:05 09:07 09:07:05 AM 09  9  9 AM am 1793590625"},
		{"names", "@a @A @b @B @h @Z @z", "", "Mon Monday Nov November Nov IST +0530"},
		{"whole", "@c|@x|@X", "", "Mon Nov  2 09:07:05 2026|11/02/26|09:07:05"},
		{"characters", "[@n@t]", "", "[\n\t]"},
		{"ours", "@L @f @Q", "", "123 123456 1793590625123"},
		{"properties a 3.1.1 message lacks", "%A|%C|%D|%E|%F|%P|%R|%S", "", "|||||||"},
		{"their widths", "%3A|%3C|%3D|%3E|%3F|%3P|%3R|%3S", "", "   |   ||   |   |||   "},
		{"their zeros", "%03A|%03C|%03D|%03E|%03F|%03P|%03R|%03S", "", "000|   ||000|000|||000"},
		{"float", "%f|%.2f|%.f|%10.2f|%-10.2f|%010.2f", float32Payload(-1.5), "-1.500000|-1.50|-2|     -1.50|-1.50     |-000001.50"},
		{"double", "%d|%.3d|%09.3d", float64Payload(3.14159), "3.141590|3.142|00003.142"},
		{"not a number", "%5f|%05f", float32Payload(float32(math.NaN())), "  nan|  nan"},
		{"infinite", "%f|%05f", float32Payload(float32(math.Inf(-1))), "-inf| -inf"},
		{"float of another length", "[%f%d]", "abc", "[]"},
		{"json", "%j %J", "1", `{"tst":"2026-11-02T09:07:05.123456+0530","topic":"a/b","qos":1,"retain":1,"payloadlen":1,"mid":7,"payload":"1"} ` +
			`{"tst":"2026-11-02T09:07:05.123456+0530","topic":"a/b","qos":1,"retain":1,"payloadlen":1,"mid":7,"payload":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tpl, err := ParseTemplate(tt.format)
			if err != nil {
				t.Fatal(err)
			}
			got := string(tpl.Append([]byte(">"), retained(tt.payload), testTime))
			if diff := cmp.Diff(">"+tt.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.format, diff)
			}
		})
	}
}

func TestTemplateProperties(t *testing.T) {
	tests := []struct {
		name, format, want string
		p                  property
	}{
		{"number", "%05E", "00060", property{number: 60, isNumber: true}},
		{"number left", "%-5S", "7    ", property{number: 7, isNumber: true}},
		{"string", "%8.4C", "    text", property{text: "text/plain"}},
		{"user properties", "%8.4P", `k:v k:\x1b`, property{text: "k:v k:\x1b"}},
		{"correlation data", "%8.4D", `\x00\x01`, property{text: "\x00\x01"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tpl, err := ParseTemplate(tt.format)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(tpl.segments[0].appendFound(nil, tt.p, true))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTemplateNamesEveryTimeSpecifier(t *testing.T) {
	for _, c := range timeLetters {
		tpl, err := ParseTemplate("@" + string(c))
		if err != nil {
			t.Fatal(err)
		}
		got := string(tpl.Append(nil, message("t", ""), testTime))
		if got == "" || c != '%' && strings.HasPrefix(got, "%") {
			t.Errorf("@%c printed %q", c, got)
		}
	}
}

func TestTemplateOptions(t *testing.T) {
	tpl, err := ParseTemplate(`\e[1m%t|%p|%-8.4t|%3p|`)
	if err != nil {
		t.Fatal(err)
	}
	m := message("a\x1b/\u202e", "x\n\x1b[2J")
	tests := []struct {
		name string
		o    TemplateOptions
		want string
	}{
		{"raw", TemplateOptions{}, "\x1b[1ma\x1b/\u202e|x\n\x1b[2J|a\x1b/\xe2    |x\n\x1b|"},
		{"safe", TemplateOptions{Safe: true}, "\x1b[1m" + `a\x1b/\u202e|x\x0a\x1b[2J|a\x1b/\xe2    |x\x0a\x1b|`},
		{"safe lines", TemplateOptions{Safe: true, Multiline: true},
			"\x1b[1m" + `a\x1b/\u202e|x` + "\n" + `\x1b[2J|a\x1b/\xe2    |x` + "\n" + `\x1b|`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problem := tpl.AppendWith(nil, m, testTime, tt.o)
			if diff := cmp.Diff(tt.want, string(got)); diff != "" || problem != 0 {
				t.Errorf("problem %v (-want +got):\n%s", problem, diff)
			}
		})
	}
}

func TestTemplateProblems(t *testing.T) {
	tests := []struct {
		format, payload string
		want            Problem
		words           string
	}{
		{"%f", "1234", 0, "none"},
		{"%f", "123", NotFloat, "payload is not a 4-byte float"},
		{"%d", "123", NotDouble, "payload is not an 8-byte double"},
		{"%j", "{", 0, "none"},
		{"%J", "{", NotJSON, "payload is not valid JSON"},
		{"%J%f%d", "{", NotJSON | NotFloat | NotDouble, "payload is not valid JSON; payload is not a 4-byte float; payload is not an 8-byte double"},
	}
	for _, tt := range tests {
		tpl, err := ParseTemplate(tt.format)
		if err != nil {
			t.Fatal(err)
		}
		_, got := tpl.AppendWith(nil, message("t", tt.payload), testTime, TemplateOptions{})
		if got != tt.want || got.String() != tt.words {
			t.Errorf("%s of %q: %v, want %v", tt.format, tt.payload, got, tt.want)
		}
	}
}

func TestParseTemplateErrors(t *testing.T) {
	tests := []struct {
		format, why, specifier string
		offset                 int
	}{
		{"%", "incomplete specifier", "%", 0},
		{"ab%5", "incomplete specifier", "%5", 2},
		{"%-", "incomplete specifier", "%-", 0},
		{"%5.", "incomplete specifier", "%5.", 0},
		{"%.3", "incomplete specifier", "%.3", 0},
		{"%.2:", "incomplete specifier", "%.2:", 0},
		{"%t %5z", "unknown specifier", "%5z", 3},
		{"%é", "unknown specifier", "%é", 0},
		{"%0-5l", "misplaced separator in specifier", "%0-5", 0},
		{"%.2:p", "misplaced separator in specifier", "%.2:p", 0},
		{"%99999999999999999999p", "too large a number in", "%99999999999999999999p", 0},
		{"%.65536f", "too large a number in", "%.65536f", 0},
		{"@", "incomplete specifier", "@", 0},
		{"a@:b", "unknown specifier", "@:", 1},
		{"@E", "unknown specifier", "@E", 0},
		{"@é", "unknown specifier", "@é", 0},
		{`\`, "incomplete escape", `\`, 0},
		{`\q`, "unknown escape", `\q`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.format, func(t *testing.T) {
			_, err := ParseTemplate(tt.format)
			var te *TemplateError
			if !errors.As(err, &te) {
				t.Fatalf("got %v, want a *TemplateError", err)
			}
			got := TemplateError{Template: te.Template, Offset: te.Offset, Specifier: te.Specifier, Why: te.Why}
			want := TemplateError{Template: tt.format, Offset: tt.offset, Specifier: tt.specifier, Why: tt.why}
			if diff := cmp.Diff(want, got); diff != "" || te.Allowed == "" {
				t.Errorf("allowed %q (-want +got):\n%s", te.Allowed, diff)
			}
		})
	}
}

func TestTemplateErrorText(t *testing.T) {
	var b strings.Builder
	for _, format := range []string{"%t %5z", "@E", `a\q`, "%70000p"} {
		_, err := ParseTemplate(format)
		b.WriteString(err.Error() + "\n")
	}
	golden(t, "template_errors.txt", b.String())
}

// simpleTemplate is what the allocation test and the benchmark of templates share.
func simpleTemplate(tb testing.TB) func() {
	tpl, err := ParseTemplate(`@H:@M:@S.@N %I %U %-20t %q%r %5l %m %x %p\n`)
	if err != nil {
		tb.Fatal(err)
	}
	m := message("plant/line/7/temperature", `{"value":21.5,"unit":"C"}`)
	buf := make([]byte, 0, 1024)
	return func() { buf = tpl.Append(buf[:0], m, testTime) }
}

func TestTemplateAllocs(t *testing.T) {
	if n := testing.AllocsPerRun(100, simpleTemplate(t)); n != 0 {
		t.Errorf("%v allocations per message, want 0", n)
	}
}

func BenchmarkTemplate(b *testing.B) {
	f := simpleTemplate(b)
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"%t %p", "%-05.3t@Y@j", `%.2:x\e%J`, "%f%d%5A", "%0", "@", `\`, "%08.3f"} {
		f.Add(s, "a/b", []byte("abcd"), byte(1))
	}
	f.Fuzz(func(t *testing.T, format, topic string, payload []byte, qos byte) {
		tpl, err := ParseTemplate(format)
		if err != nil {
			var te *TemplateError
			if !errors.As(err, &te) || !strings.HasPrefix(format[te.Offset:], te.Specifier) || te.Specifier == "" {
				t.Fatalf("bad error for %q: %#v", format, err)
			}
			return
		}
		m := &packet.Message{Topic: topic, Payload: payload, QoS: packet.QoS(qos % 3), PacketID: uint16(qos)}
		dst := []byte("kept")
		raw := tpl.Append(dst, m, testTime)
		safe, _ := tpl.AppendWith(dst, m, testTime, TemplateOptions{Safe: true})
		if string(raw[:4]) != "kept" || string(safe[:4]) != "kept" {
			t.Fatal("dst was changed")
		}
	})
}
