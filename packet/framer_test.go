package packet

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"
)

// stream returns every vector that decodes, one after the other, and how many they are.
func stream(t *testing.T) ([]byte, int) {
	var all []byte
	n := 0
	for _, v := range loadVectors(t) {
		if v.sentinel == nil && len(v.bytes) < 20000 {
			all = append(all, v.bytes...)
			n++
		}
	}
	if n == 0 {
		t.Fatal("no vectors")
	}
	return all, n
}

func TestFramerPieces(t *testing.T) {
	all, n := stream(t)
	for _, size := range []int{1, 2, 3, 7, 100, 512, 4096, len(all)} {
		var f Framer
		var got []byte
		packets := 0
		for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			f.Feed(rest[:min(size, len(rest))])
			for {
				p, err := f.Next()
				if err != nil {
					if err != ErrTruncated {
						t.Fatal(err)
					}
					break
				}
				got = append(got, p...)
				packets++
			}
		}
		if packets != n || !bytes.Equal(got, all) || f.Offset() != int64(len(all)) || len(f.Pending()) != 0 {
			t.Errorf("in pieces of %d: %d packets of %d, %d bytes pending", size, packets, n, len(f.Pending()))
		}
	}
}

func TestFramerReadPacket(t *testing.T) {
	all, n := stream(t)
	for name, r := range map[string]io.Reader{
		"whole":          bytes.NewReader(all),
		"byte by byte":   iotest.OneByteReader(bytes.NewReader(all)),
		"halves":         iotest.HalfReader(bytes.NewReader(all)),
		"data and error": iotest.DataErrReader(bytes.NewReader(all)),
	} {
		var f Framer
		packets := 0
		for {
			_, err := f.ReadPacket(r)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			packets++
		}
		if packets != n {
			t.Errorf("%s: %d packets of %d", name, packets, n)
		}
	}
}

func TestFramerEnds(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"end":                 {bytes.NewReader(nil), io.EOF},
		"end inside a packet": {bytes.NewReader([]byte("\x30\x05\x00")), io.ErrUnexpectedEOF},
		"end inside a header": {bytes.NewReader([]byte("\x30")), io.ErrUnexpectedEOF},
		"reader's error":      {iotest.ErrReader(broken), broken},
		"long length":         {bytes.NewReader([]byte("\x30\xff\xff\xff\xff\x01")), ErrMalformed},
		"idle reader":         {idleReader{}, io.ErrNoProgress},
	} {
		var f Framer
		if p, err := f.ReadPacket(c.r); !errors.Is(err, c.want) || p != nil {
			t.Errorf("%s: %x, %v; want %v", name, p, err, c.want)
		}
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func TestFramerLimit(t *testing.T) {
	f := Framer{Limit: 6}
	f.Feed([]byte("\x30\x04\x00\x01aa" + "\x30\x05\x00\x01aaa" + "\xc0\x00"))
	if p, err := f.Next(); len(p) != 6 || err != nil {
		t.Fatalf("a packet of exactly the limit: %x, %v", p, err)
	}
	for range 2 {
		var e *Error
		if p, err := f.Next(); !errors.Is(err, ErrTooLarge) || !errors.As(err, &e) || e.Code != ReasonPacketTooLarge || p != nil {
			t.Fatalf("a packet over the limit: %x, %v", p, err)
		}
	}
	if !f.Skip() || f.Offset() != 13 {
		t.Fatalf("offset %d after Skip", f.Offset())
	}
	if p, err := f.Next(); string(p) != "\xc0\x00" || err != nil {
		t.Fatalf("after Skip: %x, %v", p, err)
	}
	if f.Skip() {
		t.Error("Skip with nothing to skip")
	}
}

// TestFramerMemory asks that a length field alone reserves nothing, and that memory is given back.
func TestFramerMemory(t *testing.T) {
	var f Framer
	f.Feed([]byte("\x30\xff\xff\xff\x7f"))
	if _, err := f.Next(); err != ErrTruncated {
		t.Fatal(err)
	}
	if _, err := f.Fill(bytes.NewReader([]byte("some"))); err != nil {
		t.Fatal(err)
	}
	if cap(f.buf) > 2048 {
		t.Errorf("%d bytes reserved for 9", cap(f.buf))
	}

	f = Framer{}
	body := bytes.Repeat([]byte("x"), 1<<20)
	large, err := (&Publish{Topic: []byte("t"), Payload: body}).Append(nil, V311)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := bytes.NewReader(large)
	if p, err := f.ReadPacket(r); err != nil || !bytes.Equal(p, large) {
		t.Fatal("a large packet was lost", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d bytes allocated for a packet of 1 MiB", got)
	}
	f.Feed([]byte("\xc0"))
	if cap(f.buf) > keepSize {
		t.Errorf("%d bytes kept after a large packet", cap(f.buf))
	}
}
