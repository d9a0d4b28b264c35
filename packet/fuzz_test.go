package packet

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seedVectors adds every vector of at most 4 KiB to f and fails when there are none.
func seedVectors(f *testing.F) {
	f.Helper()
	n := 0
	for _, v := range loadVectors(f) {
		if len(v.bytes) <= 4096 {
			f.Add(v.bytes, byte(v.version))
			n++
		}
	}
	if n == 0 {
		f.Fatal("no seeds")
	}
}

// anyVersion makes a version of a fuzzer's byte, now and then an unknown one.
func anyVersion(c byte) Version { return V31 + Version(c)%4 }

// FuzzDecode holds that decoding never panics, and that what decodes is encoded to the same bytes or, where the
// specification allows two spellings, to a fixed point.
func FuzzDecode(f *testing.F) {
	seedVectors(f)
	f.Fuzz(func(t *testing.T, b []byte, ver byte) {
		v := anyVersion(ver)
		p, n, err := Decode(b, v)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Err == nil || e.Text == "" || e.Offset < 0 || e.Offset > len(b) || p != nil || n != 0 {
				t.Fatalf("Decode = %v, %d, %#v", p, n, err)
			}
			return
		}
		if n < 2 || n > len(b) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		v = versionOf(p, v)
		out, err := p.Append(nil, v)
		if err != nil {
			t.Fatalf("%#v cannot be encoded: %v", p, err)
		}
		again, m, err := Decode(out, v)
		if err != nil || m != len(out) || !reflect.DeepEqual(p, again) {
			t.Fatalf("%x became %x: %v\n%s", b[:n], out, err, cmp.Diff(p, again))
		}
		if fixed, err := again.Append(nil, v); err != nil || !bytes.Equal(fixed, out) {
			t.Fatalf("%x, then %x: %v", out, fixed, err)
		}
		if !bytes.Equal(out, b[:n]) && !twoSpellings(p, v, b[:n], out) {
			t.Fatalf("%x became %x", b[:n], out)
		}
	})
}

// twoSpellings reports whether the specification of v allows another spelling of p than the one Append chose.
func twoSpellings(p Packet, v Version, in, out []byte) bool {
	if v != V5 {
		h, _ := ParseHeader(in)
		// Before 5.0 the remaining length may be padded; 3.1 has bits and fields that are ignored.
		return v == V31 || bytes.HasSuffix(out, in[h.Size:]) && h.Size-1 > VarintLen(uint32(h.Remaining))
	}
	switch p.(type) {
	case *Puback, *Pubrec, *Pubrel, *Pubcomp, *Disconnect:
		return len(out) < len(in) // code and property length may be left out
	}
	return false
}

// FuzzAnnotate holds the annotated decode to the strict one, in any direction.
func FuzzAnnotate(f *testing.F) {
	seedVectors(f)
	f.Fuzz(func(t *testing.T, b []byte, ver byte) {
		checkAgreement(t, b, anyVersion(ver))
	})
}

// FuzzFramer holds that however a stream is cut, the same packets come out of it.
func FuzzFramer(f *testing.F) {
	n := 0
	for _, v := range loadVectors(f) {
		if len(v.bytes) <= 300 {
			f.Add(append(bytes.Clone(v.bytes), 0xc0, 0, 0xd0, 0), []byte{1, 2, 3}, uint16(0))
			f.Add(bytes.Repeat(v.bytes, 3), []byte{1}, uint16(40))
			n++
		}
	}
	if n == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte, limit uint16) {
		whole := Framer{Limit: int(limit)}
		whole.Feed(stream)
		want := frameAll(&whole)
		pushed := Framer{Limit: int(limit)}
		pulled := Framer{Limit: int(limit)}
		var gotPushed, gotPulled []string
		for i, rest := 0, stream; len(rest) > 0; i++ {
			k := len(rest)
			if len(cuts) > 0 {
				k = min(k, 1+int(cuts[i%len(cuts)]))
			}
			pushed.Feed(rest[:k])
			gotPushed = append(gotPushed, frameAll(&pushed)...)
			r := bytes.NewReader(rest[:k])
			for r.Len() > 0 {
				if _, err := pulled.Fill(r); err != nil {
					t.Fatal(err)
				}
				gotPulled = append(gotPulled, frameAll(&pulled)...)
			}
			rest = rest[k:]
		}
		want, gotPushed, gotPulled = untilLost(want), untilLost(gotPushed), untilLost(gotPulled)
		if !slices.Equal(want, gotPushed) || !slices.Equal(want, gotPulled) {
			t.Fatalf("whole %q\npushed %q\npulled %q", want, gotPushed, gotPulled)
		}
		if a, b, c := whole.Offset(), pushed.Offset(), pulled.Offset(); a != b || b != c {
			t.Fatalf("offsets %d, %d, %d", a, b, c)
		}
	})
}

// frameAll takes every packet that is complete, skipping those that are too large.
func frameAll(f *Framer) []string {
	var out []string
	for {
		p, err := f.Next()
		switch {
		case err == nil:
			out = append(out, string(p))
		case errors.Is(err, ErrTooLarge):
			out = append(out, "too large")
			if !f.Skip() {
				return append(out, "cannot skip")
			}
		case errors.Is(err, ErrMalformed):
			return append(out, "lost")
		default:
			return out
		}
	}
}

// untilLost cuts what follows the first packet of unreadable length, which is reported at every call.
func untilLost(s []string) []string {
	for i := range s {
		if s[i] == "lost" {
			return s[:i+1]
		}
	}
	return s
}
