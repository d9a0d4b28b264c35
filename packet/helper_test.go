package packet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readText reads a test file, whatever line ends a checkout gave it.
func readText(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// roundTrip asks that p is encoded as the hex digits say, and that they decode to p by both ways.
func roundTrip(t *testing.T, v Version, p Packet, digits string) {
	t.Helper()
	want, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Append(nil, v)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("Append = % x, %v; want % x", got, err, want)
	}
	q, n, err := Decode(want, v)
	if err != nil || n != len(want) || !reflect.DeepEqual(p, q) {
		t.Fatalf("Decode = %d, %v\n%s", n, err, cmp.Diff(p, q))
	}
	if q.Type() != p.Type() || p.Type() != Type(want[0]>>4) {
		t.Errorf("types %v, %v, first byte %02x", p.Type(), q.Type(), want[0])
	}
	into := reflect.New(reflect.TypeOf(p).Elem()).Interface().(Packet)
	if n, err := into.Decode(want, v); err != nil || n != len(want) || !reflect.DeepEqual(p, into) {
		t.Errorf("into a struct: %d, %v\n%s", n, err, cmp.Diff(p, into))
	}
	other := byte(PINGREQ) << 4
	if p.Type() == PINGREQ {
		other = byte(PINGRESP) << 4
	}
	if _, err := into.Decode([]byte{other, 0}, v); !errors.Is(err, ErrProtocol) {
		t.Errorf("a packet of another type: %v", err)
	}
}

// refuses asks that p cannot be encoded, and that what the caller had is left alone.
func refuses(t *testing.T, v Version, p Packet, sentinel error, field string) {
	t.Helper()
	before := []byte("before")
	b, err := p.Append(before, v)
	var e *Error
	switch {
	case !errors.As(err, &e) || !errors.Is(err, sentinel):
		t.Errorf("%#v in %v: %v, want %v", p, v, err, sentinel)
	case e.Field != field:
		t.Errorf("%#v in %v: field %q, want %q", p, v, e.Field, field)
	case string(b) != "before":
		t.Errorf("%#v in %v left %q", p, v, b)
	}
}

// props builds properties or fails.
func props(t testing.TB, build func(*PropertyBuilder)) Properties {
	t.Helper()
	var b PropertyBuilder
	build(&b)
	p, err := b.Properties()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
