package connect

import (
	"bufio"
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mq/packet"
)

// Tap is shown the bytes of a connection as they are handed to, or come from, the transport. b is valid until it
// returns. Calls for one direction follow one another; the two directions may call at the same time.
type Tap func(d packet.Direction, b []byte)

const (
	// coalesceMax is how many bytes may wait for the socket before senders of messages are held back.
	coalesceMax = 256 << 10
	// coalescePiece is the most that goes into one system call.
	coalescePiece = 64 << 10
	// coalesceEnough is how many bytes are worth a system call of their own.
	coalesceEnough = 32 << 10
	// coalesceDelay is the longest a packet waits for company.
	coalesceDelay = 100 * time.Microsecond
	readBuffer    = 64 << 10
)

// transport is the connection handed to a client library that writes packet by packet: small writes go out together,
// reads are buffered, bytes are counted and shown to the tap. A write never blocks: it returns once the bytes are
// buffered, an error of the socket goes to onFail and is returned by the next one. Whoever makes new messages calls
// waitBelow first.
type transport struct {
	conn    net.Conn
	r       *bufio.Reader
	tap     Tap
	onFail  func(error)
	busy    func() bool // whether more packets are about to be written
	in, out atomic.Uint64

	mu       sync.Mutex
	cond     sync.Cond // buf shrank, or the flusher went idle, or err was set
	buf      []byte    // waiting to be written
	spare    []byte    // the other buffer
	flushing bool      // a system call is under way
	sent     uint64    // bytes the operating system has taken
	closed   bool
	err      error
	wake     chan struct{}
}

func newTransport(conn net.Conn, tap Tap, busy func() bool, onFail func(error)) *transport {
	t := &transport{conn: conn, tap: tap, busy: busy, onFail: onFail, wake: make(chan struct{}, 1)}
	t.cond.L = &t.mu
	t.r = bufio.NewReaderSize((*tapReader)(t), readBuffer)
	go t.flushLoop()
	return t
}

// tapReader reads from the socket past the buffer.
type tapReader transport

func (t *tapReader) Read(b []byte) (int, error) {
	n, err := t.conn.Read(b)
	if n > 0 {
		t.in.Add(uint64(n))
		if t.tap != nil {
			t.tap(packet.ServerToClient, b[:n])
		}
	}
	return n, err
}

func (t *transport) write(b []byte) error {
	t.mu.Lock()
	if t.err != nil {
		err := t.err
		t.mu.Unlock()
		return err
	}
	if t.tap != nil {
		t.tap(packet.ClientToServer, b)
	}
	idle := len(t.buf) == 0
	t.buf = append(t.buf, b...)
	t.mu.Unlock()
	t.out.Add(uint64(len(b)))
	if idle {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// waitBelow waits until fewer than limit bytes wait for the socket. It returns the socket's error, or ctx's.
func (t *transport) waitBelow(ctx context.Context, limit int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf) < limit || t.err != nil {
		return t.err
	}
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.cond.Broadcast()
	})
	defer stop()
	for len(t.buf) >= limit && t.err == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.cond.Wait()
	}
	return t.err
}

// errStalled is the transport's error when the server has stopped reading.
var errStalled = errors.New("the server has stopped reading")

// flush waits until everything written so far has been handed to the operating system, however long that takes, as long
// as there is progress: without any for the time of patience the transport fails with errStalled.
func (t *transport) flush(patience time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.pending() {
		before, expired := t.sent, false
		timer := time.AfterFunc(patience, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			expired = true
			t.cond.Broadcast()
		})
		for t.pending() && t.sent == before && !expired {
			t.cond.Wait()
		}
		timer.Stop()
		if t.pending() && t.sent == before {
			t.err = errStalled
		}
	}
	return t.err
}

// pending reports, with the lock held, whether bytes wait for the socket and may still get there.
func (t *transport) pending() bool { return (len(t.buf) > 0 || t.flushing) && t.err == nil }

func (t *transport) flushLoop() {
	for range t.wake {
		for t.flushOnce() {
		}
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if closed {
			return
		}
	}
}

// flushOnce writes what has gathered and reports whether there was anything.
func (t *transport) flushOnce() bool {
	t.gather()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf) == 0 || t.err != nil {
		t.cond.Broadcast()
		return false
	}
	b := t.buf
	t.buf, t.flushing = t.spare[:0], true
	t.cond.Broadcast()
	t.mu.Unlock()
	err := t.writeOut(b)
	t.mu.Lock()
	t.spare, t.flushing = b[:0], false
	if err != nil && t.err == nil {
		t.err = err
		go t.onFail(err)
	}
	t.cond.Broadcast()
	return true
}

// writeOut writes b in pieces, so that flush sees progress on a slow link.
func (t *transport) writeOut(b []byte) error {
	for len(b) > 0 {
		n, err := t.conn.Write(b[:min(len(b), coalescePiece)])
		if err != nil {
			return err
		}
		b = b[n:]
		t.mu.Lock()
		t.sent += uint64(n)
		t.cond.Broadcast()
		t.mu.Unlock()
	}
	return nil
}

// gather waits, for a bounded time, while busy says that more packets are about to be written: a lone packet leaves at
// once, a stream leaves in large writes. It yields instead of sleeping because the shortest sleep is a millisecond.
func (t *transport) gather() {
	if !t.busy() {
		return
	}
	for start := time.Now(); t.busy() && time.Since(start) < coalesceDelay; {
		t.mu.Lock()
		enough := len(t.buf) >= coalesceEnough || t.err != nil
		t.mu.Unlock()
		if enough {
			return
		}
		runtime.Gosched()
	}
}

// close closes the socket without flushing; writers that wait are told so.
func (t *transport) close() error {
	t.mu.Lock()
	if t.err == nil {
		t.err = net.ErrClosed
	}
	first := !t.closed
	t.closed = true
	t.cond.Broadcast()
	t.mu.Unlock()
	if !first {
		return nil
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
	return t.conn.Close()
}

// isClosed reports whether close was called.
func (t *transport) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// awaitClose waits for close and returns the error the transport had failed with before, if any.
func (t *transport) awaitClose() error {
	t.mu.Lock()
	for !t.closed {
		t.cond.Wait()
	}
	t.mu.Unlock()
	return t.failed()
}

// failed returns the socket's error, nil after close.
func (t *transport) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if errors.Is(t.err, net.ErrClosed) {
		return nil
	}
	return t.err
}
