package tap

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mq/packet"
)

// captures is where the capture files lie.
const captures = "../testdata/captures"

// got is one packet as the sink saw it.
type got struct {
	conn  *Conn
	dir   packet.Direction
	at    time.Time
	frame int
	off   int64
	raw   []byte
}

// record is a Sink that keeps everything, and checks what every source must keep to.
type record struct {
	t       testing.TB
	conns   []*Conn
	packets []got
	log     []string // all events in short
	faults  []Fault
	ends    map[*Conn]*[3]int64 // where the last event of a direction ended
	closed  map[*Conn]Closer
}

func newRecord(t testing.TB) *record {
	return &record{t: t, ends: map[*Conn]*[3]int64{}, closed: map[*Conn]Closer{}}
}

func (r *record) add(c *Conn, format string, args ...any) {
	n := 0
	if c != nil {
		n = c.Number
	}
	r.log = append(r.log, fmt.Sprintf("#%d ", n)+fmt.Sprintf(format, args...))
}

func (r *record) Open(c *Conn, _ time.Time) {
	if r.ends[c] != nil {
		r.t.Errorf("connection %d opened twice", c.Number)
	}
	r.ends[c] = new([3]int64)
	r.conns = append(r.conns, c)
	if c.Number != len(r.conns) {
		r.t.Errorf("connection number %d is the %d. to open", c.Number, len(r.conns))
	}
	r.add(c, "open %s", c.Layer)
}

func (r *record) span(c *Conn, d packet.Direction, off int64, n int) {
	e := r.ends[c]
	_, closed := r.closed[c]
	if e == nil || closed {
		r.t.Fatalf("event outside of the life of connection %d", c.Number)
	}
	if off < e[d] {
		r.t.Errorf("connection %d %v: offset %d after %d", c.Number, d, off, e[d])
	}
	e[d] = off + int64(n)
}

func (r *record) Packet(c *Conn, d packet.Direction, at time.Time, frame int, off int64, raw []byte) {
	r.span(c, d, off, len(raw))
	r.packets = append(r.packets, got{c, d, at, frame, off, bytes.Clone(raw)})
	r.add(c, "%v %v @%d+%d", d, packet.Type(raw[0]>>4), off, len(raw))
}

func (r *record) Broken(c *Conn, d packet.Direction, _ time.Time, off int64, raw []byte, err error) {
	r.span(c, d, off, len(raw))
	r.add(c, "%v broken @%d+%d: %v", d, off, len(raw), err)
}

func (r *record) Gap(c *Conn, d packet.Direction, _ time.Time, n int64) {
	r.add(c, "%v gap %d", d, n)
}

func (r *record) Note(c *Conn, _ time.Time, text string) { r.add(c, "note %s", text) }

func (r *record) Fault(c *Conn, d packet.Direction, _ time.Time, f Fault) {
	r.faults = append(r.faults, f)
	r.add(c, "%v fault %v", d, f)
}

func (r *record) Close(c *Conn, _ time.Time, by Closer) {
	if _, ok := r.closed[c]; ok {
		r.t.Errorf("connection %d closed twice", c.Number)
	}
	r.closed[c] = by
	r.add(c, "close %v", by)
}

// trouble returns the events that are neither packets nor the life of connections.
func (r *record) trouble() []string {
	var l []string
	for _, s := range r.log {
		for _, w := range []string{" broken ", " gap ", " note ", " fault "} {
			if strings.Contains(s, w) {
				l = append(l, s)
				break
			}
		}
	}
	return l
}

// readFile reads a capture of the test data.
func readFile(t testing.TB, name string, o ReadOptions) *record {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(captures, name))
	if err != nil {
		t.Fatal(err)
	}
	r := newRecord(t)
	if err := ReadCapture(context.Background(), bytes.NewReader(b), o, r); err != nil {
		t.Fatal(err)
	}
	return r
}
