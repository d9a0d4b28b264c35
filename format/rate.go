package format

import (
	"io"
	"math"
	"strconv"
	"time"
)

// Rate prints how many messages arrived, once a tick, in place of the messages (--message-rate).
type Rate struct {
	w   io.Writer
	buf []byte
}

// NewRate returns a Rate that prints to w.
func NewRate(w io.Writer) *Rate { return &Rate{w: w} }

// Tick prints the rate of n messages in d, on a line of its own.
func (r *Rate) Tick(n int64, d time.Duration) error {
	r.buf = AppendRate(r.buf[:0], n, d)
	_, err := r.w.Write(r.buf)
	return err
}

// AppendRate appends "N msgs/s\n" for n messages in d, rounded to whole messages. A d of zero or less counts as a
// second, so that a clock that stands still divides nothing by zero.
func AppendRate(dst []byte, n int64, d time.Duration) []byte {
	dst = strconv.AppendInt(dst, perSecond(n, d), 10)
	return append(dst, " msgs/s\n"...)
}

func perSecond(n int64, d time.Duration) int64 {
	if d <= 0 {
		return n
	}
	r := math.Round(float64(n) / d.Seconds())
	if r >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(r)
}
