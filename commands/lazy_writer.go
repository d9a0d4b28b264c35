package commands

import (
	"bufio"
	"io"
	"sync"
	"time"
)

// flushPause is how long the output must pause before what is buffered is flushed, flushLatest the longest it waits.
const (
	flushPause  = 2 * time.Millisecond
	flushLatest = 50 * time.Millisecond
)

// lazyWriter buffers output without keeping a reader waiting: a write that comes alone goes out at once, writes that come
// close together go out together. To a terminal every write goes out at once. It may be used from several goroutines.
type lazyWriter struct {
	now      func() time.Time
	terminal bool

	mu      sync.Mutex
	w       *bufio.Writer
	last    time.Time
	pending bool // flushLater is under way
	seq     uint64
	err     error
}

func newLazyWriter(w io.Writer, terminal bool, now func() time.Time) *lazyWriter {
	return &lazyWriter{now: now, terminal: terminal, w: bufio.NewWriterSize(w, 64<<10)}
}

// Write implements io.Writer. After an error it returns the same.
func (l *lazyWriter) Write(b []byte) (int, error) {
	at := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	if _, l.err = l.w.Write(b); l.err != nil {
		return 0, l.err
	}
	l.seq++
	lone := at.Sub(l.last) > flushPause
	l.last = at
	switch {
	case l.terminal || lone:
		l.err = l.w.Flush()
	case !l.pending:
		l.pending = true
		go l.flushLater(at)
	}
	return len(b), l.err
}

// flushLater flushes when the output pauses.
func (l *lazyWriter) flushLater(start time.Time) {
	for seen := uint64(0); ; {
		time.Sleep(flushPause)
		l.mu.Lock()
		if l.seq == seen || time.Since(start) > flushLatest {
			if l.err == nil {
				l.err = l.w.Flush()
			}
			l.pending = false
			l.mu.Unlock()
			return
		}
		seen = l.seq
		l.mu.Unlock()
	}
}

// Flush writes what is buffered.
func (l *lazyWriter) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = l.w.Flush()
	}
	return l.err
}
