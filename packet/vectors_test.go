package packet

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is one packet of testdata/vectors; README.md there describes the format.
type vector struct {
	name     string
	version  Version
	dir      Direction
	sentinel error // nil where the packet must decode
	find     []string
	canon    []byte // how the packet is encoded again, if not as it came
	bytes    []byte
}

var sentinels = map[string]error{"ErrTruncated": ErrTruncated, "ErrMalformed": ErrMalformed, "ErrTooLarge": ErrTooLarge, "ErrProtocol": ErrProtocol}

var versions = map[string]Version{"3.1": V31, "3.1.1": V311, "5.0": V5}

// loadVectors returns every vector. It fails when there are none: a test of nothing passes too easily.
func loadVectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("../testdata/vectors/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vector files: %v", err)
	}
	var all []vector
	for _, file := range files {
		base := strings.TrimSuffix(filepath.Base(file), ".txt")
		for i, part := range strings.Split(readText(t, file), "\n---\n") {
			v, err := parseVector(part)
			if err != nil {
				t.Fatalf("%s, vector %d: %v", file, i+1, err)
			}
			v.name = fmt.Sprintf("%s/%d %v %s", base, i+1, v.version, v.name)
			all = append(all, v)
		}
	}
	if len(all) < 1000 {
		t.Fatalf("%d vectors, there were more than a thousand", len(all))
	}
	return all
}

func parseVector(text string) (v vector, err error) {
	expected := false
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case !ok:
			var b []byte
			if b, err = parseHex(line); err == nil {
				v.bytes = append(v.bytes, b...)
			}
		case key == "expect":
			kind, sentinel, _ := strings.Cut(value, " ")
			expected = kind == "ok" || kind == "error" && sentinels[sentinel] != nil
			v.sentinel = sentinels[sentinel]
		case key == "version":
			v.version = versions[value]
		case key == "comment":
			v.name = value
		case key == "find":
			v.find = strings.Fields(value)
		case key == "dir":
			v.dir = map[string]Direction{"c2s": ClientToServer, "s2c": ServerToClient}[value]
		case key == "canon":
			v.canon, err = parseHex(value)
		case key != "spec":
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return v, err
		}
	}
	if !expected || v.version == 0 || v.name == "" || len(v.bytes) == 0 {
		return v, errors.New("expect, version, comment or bytes missing")
	}
	return v, nil
}

// parseHex reads bytes in hexadecimal; "61*200" is a byte repeated.
func parseHex(s string) ([]byte, error) {
	var b []byte
	for _, word := range strings.Fields(s) {
		digits, times, ok := strings.Cut(word, "*")
		n, err := 1, error(nil)
		if ok {
			n, err = strconv.Atoi(times)
		}
		c, err2 := strconv.ParseUint(digits, 16, 8)
		if err = errors.Join(err, err2); err != nil {
			return nil, err
		}
		b = append(b, bytes.Repeat([]byte{byte(c)}, n)...)
	}
	return b, nil
}

func TestVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			checkVector(t, v)
			checkAgreement(t, v.bytes, v.version)
			checkTruncations(t, v)
		})
	}
}

func checkVector(t *testing.T, v vector) {
	p, n, err := Decode(v.bytes, v.version)
	a := Annotate(v.bytes, v.version, v.dir)
	var keys []string
	for _, f := range a.Findings {
		keys = append(keys, f.Key)
	}
	if diff := cmp.Diff(v.find, keys); diff != "" {
		t.Errorf("findings (-want +got):\n%s%+v", diff, a.Findings)
	}
	if v.sentinel != nil {
		var e *Error
		if !errors.Is(err, v.sentinel) || !errors.As(err, &e) || p != nil || n != 0 {
			t.Fatalf("Decode = %v, %d, %v; want %v", p, n, err, v.sentinel)
		}
		return
	}
	if err != nil || n != len(v.bytes) {
		t.Fatalf("Decode = %d, %v; want %d bytes", n, err, len(v.bytes))
	}
	want := v.canon
	if want == nil {
		want = v.bytes
	}
	ver := versionOf(p, v.version)
	prefix := []byte("before")
	got, err := p.Append(prefix, ver)
	if err != nil || !bytes.Equal(got[len(prefix):], want) || !bytes.HasPrefix(got, prefix) {
		t.Fatalf("Append = %x, %v; want %x", got[len(prefix):], err, want)
	}
	again, _, err := Decode(want, ver)
	if err != nil || !reflect.DeepEqual(p, again) {
		t.Errorf("decoded again: %v\n%s", err, cmp.Diff(p, again))
	}
	if q, n, err := Decode(append(bytes.Clone(v.bytes), 0xc0, 0, 0xff), v.version); err != nil || n != len(v.bytes) || !reflect.DeepEqual(p, q) {
		t.Errorf("with bytes after it: Decode = %v, %d, %v", q, n, err)
	}
}

// versionOf returns the version to encode p in: a CONNECT has its own.
func versionOf(p Packet, v Version) Version {
	if c, ok := p.(*Connect); ok {
		return c.Version
	}
	return v
}

// checkTruncations cuts the packet everywhere, a long one in a thousand places. A good one is incomplete then; no other
// may panic.
func checkTruncations(t *testing.T, v vector) {
	step := 1 + len(v.bytes)/1000
	for i := 0; i < len(v.bytes); i += step {
		_, _, err := Decode(v.bytes[:i], v.version)
		if v.sentinel == nil && !errors.Is(err, ErrTruncated) || err == nil {
			t.Fatalf("the first %d of %d bytes: %v, want ErrTruncated", i, len(v.bytes), err)
		}
		if len(v.bytes) < 300 {
			checkAgreement(t, v.bytes[:i], v.version)
		}
	}
}

// checkAgreement holds the annotated decode to the strict one: an error in one is the first error in the other, values
// are equal, and the fields cover the bytes.
func checkAgreement(t testing.TB, b []byte, v Version) {
	t.Helper()
	p, n, err := Decode(b, v)
	a := Annotate(b, v, DirUnknown)
	var first *Finding
	for i := range a.Findings {
		f := &a.Findings[i]
		if f.Start < 0 || f.Start > f.End || f.End > len(b) || f.Text == "" || f.Key == "" || f.Severity == SeverityNone {
			t.Errorf("finding out of place: %+v", f)
		}
		if first == nil && f.Severity == SeverityError {
			first = f
		}
	}
	var e *Error
	switch {
	case errors.As(err, &e) != (first != nil):
		t.Fatalf("%x %v: Decode says %v, Annotate %+v", b, v, err, a.Findings)
	case e != nil:
		got := [...]any{first.Start, first.Field, first.Rule, first.Text, a.Type, first.Version}
		if want := [...]any{e.Offset, e.Field, e.Rule, e.Text, e.Type, e.Version}; got != want {
			t.Errorf("%x %v: Annotate reports %v, Decode %v", b, v, got, want)
		}
		if a.Truncated != errors.Is(err, ErrTruncated) {
			t.Errorf("%x %v: truncated is %v after %v", b, v, a.Truncated, err)
		}
	default:
		if a.Len != n || !reflect.DeepEqual(p, a.Packet) {
			t.Errorf("%x %v: Annotate differs:\n%s", b, v, cmp.Diff(p, a.Packet))
		}
	}
	if at := checkFields(t, b, a.Fields, 0, 0); at != a.Len {
		t.Errorf("%x %v: the fields end at %d of %d: %+v", b, v, at, a.Len, a.Fields)
	}
	if found := Lint(b, v, DirUnknown); !reflect.DeepEqual(found, a.Findings) {
		t.Errorf("%x %v: Lint finds other than Annotate: %s", b, v, cmp.Diff(a.Findings, found))
	}
	checkDirections(t, b, v, a)
}

// checkFields asks that fields follow each other without gaps from byte at, that parts fill their whole, and that values
// are those of the bytes. It returns where they end.
func checkFields(t testing.TB, b []byte, fields []Field, in PropertyID, at int) int {
	t.Helper()
	for _, f := range fields {
		if f.Start != at || f.End < at || f.End > len(b) || f.Name == "" {
			t.Fatalf("%x: field %q at [%d,%d), want it to begin at %d", b, f.Name, f.Start, f.End, at)
		}
		at = f.End
		raw := b[f.Start:f.End]
		switch f.Kind {
		case KindGroup:
			if end := checkFields(t, b, f.Fields, f.Property, f.Start); end != f.End {
				t.Fatalf("%x: the parts of %q end at %d, not %d", b, f.Name, end, f.End)
			}
		case KindString, KindBinary:
			if f.Content > 0 {
				raw = b[f.Content:f.End]
			}
			if !bytes.Equal(raw, f.Bytes) {
				t.Errorf("%x: %q is %x, not %x", b, f.Name, raw, f.Bytes)
			}
		case KindUint:
			if got := uintOf(raw, strings.HasSuffix(f.Name, "Length") || in == PropSubscriptionIdentifier && f.Name == "Value"); got != f.Uint {
				t.Errorf("%x: %q is %d, not %d", b, f.Name, got, f.Uint)
			}
			var all byte
			for _, bits := range f.Fields {
				if bits.Kind != KindBits || bits.Mask&all != 0 || raw[0]&bits.Mask/(bits.Mask&-bits.Mask) != byte(bits.Uint) {
					t.Errorf("%x: bits %+v of %q", b, bits, f.Name)
				}
				all |= bits.Mask
			}
			if len(f.Fields) > 0 && all != 0xff {
				t.Errorf("%x: the bits of %q are %08b", b, f.Name, all)
			}
		}
	}
	return at
}

// uintOf reads an integer another way than the decoder does.
func uintOf(raw []byte, variable bool) uint32 {
	var n uint32
	for i, c := range raw {
		if variable {
			n += uint32(c&0x7f) << (7 * i)
		} else {
			n = n<<8 | uint32(c)
		}
	}
	return n
}

// directional has the keys of the rules that depend on who sends.
var directional = func() map[string]bool {
	m := map[string]bool{}
	for _, r := range Rules() {
		m[r.Key] = m[r.Key] || r.Directional
	}
	return m
}()

// checkDirections asks that telling the direction adds only what depends on it.
func checkDirections(t testing.TB, b []byte, v Version, plain *Annotated) {
	t.Helper()
	for _, d := range []Direction{ClientToServer, ServerToClient} {
		a := Annotate(b, v, d)
		var rest []Finding
		for _, f := range a.Findings {
			if directional[f.Key] {
				if f.Side != d.Sender() {
					t.Errorf("%x: %+v blames the wrong side", b, f)
				}
				if f.Key != "J9" {
					continue
				}
			}
			rest = append(rest, f)
		}
		if len(rest) != len(plain.Findings) && !strings.Contains(fmt.Sprint(a.Findings), "J9") {
			t.Errorf("%x: in direction %v: %+v, else %+v", b, d, a.Findings, plain.Findings)
		}
	}
}
