package connect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mq/packet"
)

// countingConn keeps what is written to it, and counts the writes. Each waits for a token of gate, if there is one.
type countingConn struct {
	net.Conn // for what is not overridden
	gate     chan struct{}
	stuck    chan struct{} // hears of every write, if not nil
	closed   chan struct{}
	once     sync.Once

	mu     sync.Mutex
	got    bytes.Buffer
	writes int
	fail   error
}

func newCountingConn() *countingConn { return &countingConn{closed: make(chan struct{})} }

func (c *countingConn) Write(b []byte) (int, error) {
	if c.stuck != nil {
		c.stuck <- struct{}{}
	}
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return 0, c.fail
	}
	c.writes++
	return c.got.Write(b)
}

func (c *countingConn) Read([]byte) (int, error) {
	<-c.closed
	return 0, net.ErrClosed
}

func (c *countingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// stuckWrite writes something that is on its way into the socket, and stays there until c.gate gets a token.
func (t *transport) stuckWrite(tt *testing.T, c *countingConn) {
	tt.Helper()
	c.stuck = make(chan struct{}, 100)
	_ = t.write(make([]byte, 50))
	receive(tt, c.stuck)
}

// never says that no more packets are about to be written.
func never() bool { return false }

func failNow(t *testing.T) func(error) {
	return func(err error) { t.Errorf("the transport failed: %v", err) }
}

// TestTransportCoalesces: while more is announced, small writes go out together; what was written arrives to the byte.
func TestTransportCoalesces(t *testing.T) {
	t.Parallel()
	const n = 1000
	c := newCountingConn()
	var busy atomic.Bool
	busy.Store(true)
	tr := newTransport(c, nil, busy.Load, failNow(t))
	defer tr.close()
	var want bytes.Buffer
	for i := range n {
		b := []byte{byte(i), byte(i >> 8), 'x'}
		want.Write(b)
		if err := tr.write(b); err != nil {
			t.Fatal(err)
		}
		b[2] = 'y' // the transport has taken a copy
	}
	busy.Store(false)
	if err := tr.flush(patience); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !bytes.Equal(want.Bytes(), c.got.Bytes()) {
		t.Error("the bytes are not those that were written")
	}
	if c.writes > n/10 {
		t.Errorf("%d writes became %d", n, c.writes)
	}
	if got := tr.out.Load(); got != 3*n {
		t.Errorf("counted %d bytes, want %d", got, 3*n)
	}
}

// TestTransportGathers: before it writes, the transport asks whether more is about to come, and takes it along.
func TestTransportGathers(t *testing.T) {
	t.Parallel()
	c := newCountingConn()
	var tr *transport
	ready := make(chan struct{})
	var once sync.Once
	tr = newTransport(c, nil, func() bool {
		<-ready
		once.Do(func() { _ = tr.write([]byte("two")) })
		return false
	}, failNow(t))
	defer tr.close()
	_ = tr.write([]byte("one"))
	close(ready)
	if err := tr.flush(patience); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.got.String() != "onetwo" || c.writes != 1 {
		t.Errorf("%q in %d writes", c.got.String(), c.writes)
	}
}

// TestTransportBehindSlowSocket: what gathers while the socket is busy goes out in one piece.
func TestTransportBehindSlowSocket(t *testing.T) {
	t.Parallel()
	c := newCountingConn()
	c.gate = make(chan struct{})
	tr := newTransport(c, nil, never, failNow(t))
	defer tr.close()
	for range 100 {
		_ = tr.write([]byte("0123456789"))
	}
	go func() {
		for range 20 {
			select {
			case c.gate <- struct{}{}:
			case <-c.closed:
			}
		}
	}()
	if err := tr.flush(patience); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.got.Len() != 1000 || c.writes > 2 {
		t.Errorf("%d bytes in %d writes, want 1000 in at most 2", c.got.Len(), c.writes)
	}
}

// TestTransportLonePacket: without company a packet leaves at once, also when more was announced and does not come.
func TestTransportLonePacket(t *testing.T) {
	t.Parallel()
	for _, busy := range []func() bool{never, func() bool { return true }} {
		a, b := net.Pipe()
		defer b.Close()
		tr := newTransport(a, nil, busy, failNow(t))
		defer tr.close()
		for _, text := range []string{"one", "two"} {
			if err := tr.write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			_ = b.SetReadDeadline(time.Now().Add(patience))
			got := make([]byte, 3)
			if _, err := io.ReadFull(b, got); err != nil || string(got) != text {
				t.Errorf("read %q, %v", got, err)
			}
		}
	}
}

// TestTransportConcurrentWriters: packets of several writers are never cut or mixed, and each writer's keep their order.
func TestTransportConcurrentWriters(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 500
	a, b := net.Pipe()
	var tapped bytes.Buffer // calls of one direction follow one another
	tr := newTransport(a, func(d packet.Direction, b []byte) {
		if d == packet.ClientToServer {
			tapped.Write(b)
		}
	}, never, failNow(t))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				p := make([]byte, 4+i%50)
				binary.BigEndian.PutUint16(p[1:], uint16(i))
				p[0], p[3] = byte(w), byte(len(p))
				if err := tr.write(p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	read := async(func() []byte { got, _ := io.ReadAll(b); return got })
	wg.Wait()
	if err := tr.flush(patience); err != nil {
		t.Error(err)
	}
	tr.close()
	got := receive(t, read)
	if !bytes.Equal(got, tapped.Bytes()) {
		t.Error("the tap did not see what was written")
	}
	var next [writers]int
	for b := got; len(b) > 0; b = b[b[3]:] {
		if w, i := b[0], int(binary.BigEndian.Uint16(b[1:])); w >= writers || i != next[w] || int(b[3]) != 4+i%50 {
			t.Fatalf("packet %d of writer %d, want number %d", i, w, next[w])
		}
		next[b[0]]++
	}
	for w, n := range next {
		if n != each {
			t.Errorf("%d packets of writer %d, want %d", n, w, each)
		}
	}
}

// TestTransportTap sees the bytes of both directions, and only those.
func TestTransportTap(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	var mu sync.Mutex
	seen := map[packet.Direction]string{}
	tr := newTransport(a, func(d packet.Direction, b []byte) {
		mu.Lock()
		defer mu.Unlock()
		seen[d] += string(b)
	}, never, func(error) {})
	go func() {
		_, _ = io.ReadFull(b, make([]byte, 5))
		_, _ = io.WriteString(b, "answer")
		b.Close()
	}()
	_ = tr.write([]byte("ques"))
	_ = tr.write([]byte("t"))
	got, err := io.ReadAll(tr.r)
	tr.close()
	if err := tr.write([]byte("late")); err != net.ErrClosed {
		t.Errorf("write after close: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if string(got) != "answer" || err != nil || seen[packet.ClientToServer] != "quest" || seen[packet.ServerToClient] != "answer" || len(seen) != 2 {
		t.Errorf("read %q, %v; the tap saw %q", got, err, seen)
	}
	if in, out := tr.in.Load(), tr.out.Load(); in != 6 || out != 5 {
		t.Errorf("counted %d in and %d out, want 6 and 5", in, out)
	}
}

// TestTransportWait: senders wait while too much waits for the socket.
func TestTransportWait(t *testing.T) {
	t.Parallel()
	c := newCountingConn()
	c.gate = make(chan struct{})
	tr := newTransport(c, nil, never, failNow(t))
	defer tr.close()
	tr.stuckWrite(t, c)
	_ = tr.write(make([]byte, 100))
	if err := tr.waitBelow(t.Context(), 200); err != nil {
		t.Errorf("below the limit: %v", err)
	}
	if err := tr.waitBelow(shortly(t), 100); err != context.DeadlineExceeded {
		t.Errorf("at the limit: %v", err)
	}
	waiting := async(func() error { return tr.waitBelow(t.Context(), 100) })
	c.gate <- struct{}{} // then the rest is taken out of the buffer
	if err := receive(t, waiting); err != nil {
		t.Errorf("when the socket moved: %v", err)
	}
}

// TestTransportCloseWhileWaiting: everybody who waits is told.
func TestTransportCloseWhileWaiting(t *testing.T) {
	t.Parallel()
	c := newCountingConn()
	c.gate = make(chan struct{})
	tr := newTransport(c, nil, never, failNow(t))
	tr.stuckWrite(t, c)
	_ = tr.write(make([]byte, 100))
	calls := []<-chan error{
		async(func() error { return tr.waitBelow(t.Context(), 1) }),
		async(func() error { return tr.flush(time.Hour) }),
	}
	closed := async(tr.awaitClose)
	if err := tr.close(); err != nil {
		t.Error(err)
	}
	for _, call := range calls {
		if err := receive(t, call); err != net.ErrClosed {
			t.Errorf("got %v", err)
		}
	}
	if err := receive(t, closed); err != nil {
		t.Errorf("awaitClose: %v", err)
	}
	if err := errors.Join(tr.close(), tr.failed()); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// TestTransportFails: an error of the socket reaches onFail once, whoever waits, and every later write.
func TestTransportFails(t *testing.T) {
	t.Parallel()
	c := newCountingConn()
	c.gate = make(chan struct{})
	c.fail = errors.New("cable cut")
	failed := make(chan error, 10)
	tr := newTransport(c, nil, never, func(err error) { failed <- err })
	tr.stuckWrite(t, c)
	_ = tr.write(make([]byte, 100))
	calls := []<-chan error{
		failed,
		async(func() error { return tr.waitBelow(t.Context(), 1) }),
		async(func() error { return tr.flush(time.Hour) }),
	}
	c.gate <- struct{}{}
	for i, call := range calls {
		if err := receive(t, call); err != c.fail {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if err := tr.write([]byte("more")); err != c.fail {
		t.Errorf("write: %v", err)
	}
	if err := tr.failed(); err != c.fail {
		t.Errorf("failed: %v", err)
	}
	_ = tr.close()
	if err := tr.awaitClose(); err != c.fail {
		t.Errorf("awaitClose: %v", err)
	}
	select {
	case err := <-failed:
		t.Errorf("onFail was called again: %v", err)
	default:
	}
}

// TestTransportFlushStalls: without progress flush gives up, with any it does not.
func TestTransportFlushStalls(t *testing.T) {
	t.Parallel()
	c := newCountingConn()
	c.gate = make(chan struct{})
	tr := newTransport(c, nil, never, func(error) {})
	defer tr.close()
	_ = tr.write(make([]byte, 3*coalescePiece))
	flushed := async(func() error { return tr.flush(patience) })
	for range 3 {
		c.gate <- struct{}{}
	}
	if err := receive(t, flushed); err != nil {
		t.Errorf("with progress: %v", err)
	}
	_ = tr.write(make([]byte, 10))
	if err := tr.flush(20 * time.Millisecond); err != errStalled {
		t.Errorf("without progress: %v", err)
	}
	if err := tr.write([]byte("x")); err != errStalled {
		t.Errorf("write: %v", err)
	}
}

// writePackets is the work of BenchmarkTransportWrite.
func writePackets(tr *transport, p []byte, n int) error {
	for range n {
		if err := tr.waitBelow(context.Background(), coalesceMax); err != nil {
			return err
		}
		if err := tr.write(p); err != nil {
			return err
		}
	}
	return tr.flush(patience)
}

// discardConn is a socket that takes everything at once.
type discardConn struct{ countingConn }

func (c *discardConn) Write(b []byte) (int, error) { return len(b), nil }

func TestTransportWriteAllocates(t *testing.T) {
	tr := newTransport(&discardConn{countingConn{closed: make(chan struct{})}}, nil, never, failNow(t))
	defer tr.close()
	p := make([]byte, 70)
	if err := writePackets(tr, p, 10_000); err != nil { // the buffers grow once
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { _ = writePackets(tr, p, 1000) }); n > 50 {
		t.Errorf("%v allocations for 1000 packets", n)
	}
}

func BenchmarkTransportWrite(b *testing.B) {
	tr := newTransport(&discardConn{countingConn{closed: make(chan struct{})}}, nil, never, func(err error) { b.Error(err) })
	defer tr.close()
	p := make([]byte, 70)
	b.ReportAllocs()
	b.SetBytes(1000 * int64(len(p)))
	for b.Loop() {
		if err := writePackets(tr, p, 1000); err != nil {
			b.Fatal(err)
		}
	}
}
