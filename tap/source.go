package tap

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
)

// source reads a capture ahead of its consumer, in blocks: records come out as slices of a block where they lie in one.
// It hands on whatever a read brings, so that a pipe is followed without delay.
type source struct {
	ctx      context.Context
	blocks   chan block
	free     chan []byte
	cur      block
	rest     []byte // of cur
	scratch  []byte // a record that lies in several blocks
	read     int64  // bytes of the capture handed out
	progress func(int64)
}

// block is what one read brought.
type block struct {
	b, whole []byte
	read     int64 // bytes of the input so far, compressed as it may be
	err      error
}

const (
	blockSize  = 256 << 10
	blockCount = 4
)

// newSource starts reading r. The goroutine ends when r does or, after ctx has, with the read that is under way.
func newSource(ctx context.Context, r io.Reader, progress func(int64)) *source {
	s := &source{ctx: ctx, blocks: make(chan block, blockCount), free: make(chan []byte, blockCount), progress: progress}
	for range blockCount {
		s.free <- nil
	}
	go s.readAhead(r)
	return s
}

func (s *source) readAhead(in io.Reader) {
	defer close(s.blocks)
	counted := &countingReader{r: in}
	r, err := unzipped(counted)
	for err == nil {
		var buf []byte
		select {
		case buf = <-s.free:
		case <-s.ctx.Done():
			return
		}
		if buf == nil {
			buf = make([]byte, blockSize)
		}
		var n int
		n, err = r.Read(buf)
		if !s.send(block{b: buf[:n], whole: buf, read: counted.n}) {
			return
		}
	}
	s.send(block{err: err, read: counted.n})
}

func (s *source) send(b block) bool {
	select {
	case s.blocks <- b:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// unzipped returns what r holds, decompressed if it is gzip.
func unzipped(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(2)
	if err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		return gzip.NewReader(b)
	}
	return b, nil // an error of Peek comes again
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// more gets the next block. The error is the reader's or ctx's.
func (s *source) more() error {
	if s.cur.err != nil {
		return s.cur.err
	}
	if s.cur.whole != nil {
		s.free <- s.cur.whole // never blocks: there are as many blocks as places
		s.cur.whole = nil
	}
	select {
	case b, ok := <-s.blocks:
		if !ok {
			b.err = s.ctx.Err()
		}
		s.cur, s.rest = b, b.b
		if s.progress != nil && b.read > 0 {
			s.progress(b.read)
		}
		return b.err
	case <-s.ctx.Done():
		s.cur, s.rest = block{err: s.ctx.Err()}, nil
		return s.cur.err
	}
}

// next returns the next n bytes; they are valid until the next call. The error is io.EOF when there are none and
// io.ErrUnexpectedEOF when there are fewer, which are then returned too.
func (s *source) next(n int) ([]byte, error) {
	if n <= len(s.rest) {
		b := s.rest[:n]
		s.rest = s.rest[n:]
		s.read += int64(n)
		return b, nil
	}
	if cap(s.scratch) > 1<<20 {
		s.scratch = nil // a giant has passed
	}
	s.scratch = s.scratch[:0]
	for len(s.scratch) < n {
		if len(s.rest) == 0 {
			if err := s.more(); err != nil {
				return s.short(err)
			}
		}
		k := min(n-len(s.scratch), len(s.rest))
		s.scratch = append(s.scratch, s.rest[:k]...)
		s.rest = s.rest[k:]
		s.read += int64(k)
	}
	return s.scratch, nil
}

func (s *source) short(err error) ([]byte, error) {
	if err == io.EOF && len(s.scratch) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return s.scratch, err
}

// pass passes over n bytes without keeping them.
func (s *source) pass(n int64) error {
	for n > 0 {
		if len(s.rest) == 0 {
			if err := s.more(); err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
		}
		k := min(n, int64(len(s.rest)))
		s.rest = s.rest[k:]
		s.read += k
		n -= k
	}
	return nil
}
