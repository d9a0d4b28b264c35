package format

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAppendRate(t *testing.T) {
	tests := []struct {
		name string
		n    int64
		d    time.Duration
		want string
	}{
		{"none", 0, time.Second, "0 msgs/s\n"},
		{"a second", 1234, time.Second, "1234 msgs/s\n"},
		{"a late tick", 1500, 1500 * time.Millisecond, "1000 msgs/s\n"},
		{"rounded", 2, 3 * time.Second, "1 msgs/s\n"},
		{"no time", 5, 0, "5 msgs/s\n"},
		{"no end", math.MaxInt64, 1, "9223372036854775807 msgs/s\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f frames
			if err := NewRate(&f.Builder).Tick(tt.n, tt.d); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, f.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if err := NewRate(&fullWriter{}).Tick(1, time.Second); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}

func TestProgressLine(t *testing.T) {
	tests := []struct {
		name string
		p    ProgressState
		want string
	}{
		{"nothing yet", ProgressState{}, "sent 0"},
		{"all there is", ProgressState{Sent: 12345, Acked: 12300, Acks: true, Total: 30000, Elapsed: 1462 * time.Millisecond},
			"sent 12,345  acked 12,300  8,413/s  41 %"},
		{"QoS 0, endless", ProgressState{Sent: 1234567, Elapsed: 10 * time.Second}, "sent 1,234,567  123,457/s"},
		{"not quite done", ProgressState{Sent: 100000, Acked: 99999, Acks: true, Total: 100000}, "sent 100,000  acked 99,999  99 %"},
		{"done", ProgressState{Sent: 7, Total: 7, Elapsed: time.Second}, "sent 7  7/s  100 %"},
		{"one short of very many", ProgressState{Sent: math.MaxInt64 - 1, Total: math.MaxInt64}, "sent 9,223,372,036,854,775,806  99 %"},
		{"less than nothing", ProgressState{Sent: -123456}, "sent -123,456"},
		{"very large", ProgressState{Sent: math.MaxInt64 / 2, Total: math.MaxInt64}, "sent 4,611,686,018,427,387,903  50 %"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ProgressLine(tt.p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	tests := []struct {
		name  string
		width int
		keep  bool
		sent  []int64
		want  string
	}{
		{"erased", 0, false, []int64{1, 1, 2}, "\r\x1b[Ksent 1\r\x1b[Ksent 2\r\x1b[K"},
		{"kept", 80, true, []int64{1}, "\r\x1b[Ksent 1\n"},
		{"cut", 7, true, []int64{123}, "\r\x1b[Ksent 1\n"},
		{"never shown", 80, true, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f frames
			p := NewProgress(&f.Builder, func() int { return tt.width })
			for _, n := range tt.sent {
				if err := p.Update(ProgressState{Sent: n}); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(p.Close(tt.keep), p.Close(tt.keep)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, f.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgressWriteErrors(t *testing.T) {
	p := NewProgress(&fullWriter{writes: 1}, nil)
	if err := p.Update(ProgressState{Sent: 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.Update(ProgressState{Sent: 2}); !errors.Is(err, errFull) {
		t.Errorf("update: error %v", err)
	}
	if err := p.Close(true); !errors.Is(err, errFull) {
		t.Errorf("close: error %v", err)
	}
}
