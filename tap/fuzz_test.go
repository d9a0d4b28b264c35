package tap

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzReadCapture reads anything as a capture, with small limits so that they are met.
func FuzzReadCapture(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(captures, "*.pcap*"))
	seeds := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") || len(b) > 20_000 {
			continue
		}
		seeds++
		f.Add(b)
	}
	if seeds < 5 {
		f.Fatalf("%d seeds", seeds)
	}
	limits := Limits{MaxConns: 4, MaxPacket: 1000, MaxOutOfOrder: 2000, MaxBuffered: 3000}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRecord(t)
		c := newCapture(r, &ReadOptions{Limits: limits, NoteOther: true})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		src := newSource(ctx, bytes.NewReader(b), nil)
		fr, err := newFrameReader(src, c.secrets, c.note)
		if err != nil {
			return
		}
		_ = c.run(fr)
		c.a.finish()
		if c.a.buffered != 0 {
			t.Errorf("%d bytes held after the end", c.a.buffered)
		}
		if len(r.closed) != len(r.conns) {
			t.Errorf("%d connections, %d closed", len(r.conns), len(r.closed))
		}
	})
}

// TestGzip reads a capture that trickles in byte by byte, compressed.
func TestGzip(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(captures, "r04_v5_qos012.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	w.Close()
	var read int64
	r := newRecord(t)
	err = ReadCapture(context.Background(), &trickle{z.Bytes()}, ReadOptions{Progress: func(n int64) { read = n }}, r)
	if err != nil || len(r.packets) != 61 || read != int64(z.Len()) {
		t.Errorf("%v, %d packets, %d bytes", err, len(r.packets), read)
	}
}

// trickle is a reader that gives one byte at a time.
type trickle struct{ b []byte }

func (s *trickle) Read(b []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:1], s.b)
	s.b = s.b[n:]
	return n, nil
}

// TestStreaming checks that events come while the capture is still being written, and that ctx ends a read that waits.
func TestStreaming(t *testing.T) {
	k := newTalk(t, 1, 99)
	in, out := io.Pipe()
	defer out.Close()
	ctx, cancel := context.WithCancel(context.Background())
	seen := make(chan struct{}, 10)
	done := make(chan error)
	r := &signalling{record: newRecord(t), seen: seen}
	go func() { done <- ReadCapture(ctx, in, ReadOptions{}, r) }()
	b := pcapHeader()
	for i, s := range k.open() {
		b = appendFrame(b, i, s)
	}
	if _, err := out.Write(b); err != nil {
		t.Fatal(err)
	}
	<-seen
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("%v", err)
	}
	if len(r.closed) != 1 {
		t.Errorf("%q", r.log)
	}
}

// signalling is a record that signals when a connection opens.
type signalling struct {
	*record
	seen chan struct{}
}

func (s *signalling) Open(c *Conn, at time.Time) {
	s.record.Open(c, at)
	s.seen <- struct{}{}
}
