package flow

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are at most 1/16 wide, from a nanosecond to centuries, in 4 KiB.
type histogram struct {
	buckets [64 * 16]uint32
	n       int64
	max     int64
}

func bucketOf(ns int64) int {
	if ns < 16 {
		return int(max(ns, 0))
	}
	e := bits.Len64(uint64(ns)) - 5 // the top five bits count
	return e<<4 + int(ns>>e)
}

// bucketTop returns the greatest value of bucket i.
func bucketTop(i int) int64 {
	if i < 32 {
		return int64(i)
	}
	e := i>>4 - 1
	return (int64(i&15|16)+1)<<e - 1
}

func (h *histogram) add(ns int64) {
	h.buckets[bucketOf(ns)]++
	h.n++
	h.max = max(h.max, ns)
}

// quantile returns the value that q of the values do not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	want := int64(q * float64(h.n))
	var sum int64
	for i, n := range h.buckets {
		if sum += int64(n); sum > want || sum == h.n && n > 0 {
			return time.Duration(min(bucketTop(i), h.max))
		}
	}
	return 0
}

// Latency describes a set of durations. The percentiles are exact to about 6 %.
type Latency struct {
	Count              int64
	P50, P90, P99, Max time.Duration
}

func (h *histogram) latency() Latency {
	return Latency{h.n, h.quantile(.5), h.quantile(.9), h.quantile(.99), time.Duration(h.max)}
}
