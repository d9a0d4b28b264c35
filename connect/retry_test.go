package connect

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"mq/packet"
)

// TestBackoff wants waits that double up to a limit, half of each at random.
func TestBackoff(t *testing.T) {
	t.Parallel()
	full := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second}
	lost := &LostError{}
	now := time.Unix(0, 0)
	least, most := make([]time.Duration, len(full)), make([]time.Duration, len(full))
	for range 1000 {
		b := backoff{policy: RetryPolicy{Enabled: true}}
		for i, f := range full {
			d, ok := b.next(now, lost)
			if !ok || d < f/2 || d >= f || b.attempt != i+1 {
				t.Fatalf("wait %d is %v (%v), attempt %d; want %v to %v", i, d, ok, b.attempt, f/2, f)
			}
			if least[i] == 0 || d < least[i] {
				least[i] = d
			}
			most[i] = max(most[i], d)
		}
	}
	for i, f := range full {
		if spread := most[i] - least[i]; spread < f/3 {
			t.Errorf("wait %d: all between %v and %v, which is little at random", i, least[i], most[i])
		}
	}
	b := backoff{policy: RetryPolicy{Enabled: true}, attempt: 1 << 40} // after years
	if d, ok := b.next(now, lost); !ok || d > backoffMax || d < backoffMax/2 {
		t.Errorf("%v, %v", d, ok)
	}
}

// TestBackoffFor: the time of the policy counts from the first failure, and the last attempt is made when it ends.
func TestBackoffFor(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	b := backoff{policy: RetryPolicy{Enabled: true, For: 10 * time.Second}}
	lost := &LostError{}
	if d, ok := b.next(start, lost); !ok || d > backoffMin {
		t.Errorf("at once: %v, %v", d, ok)
	}
	if d, ok := b.next(start.Add(9999*time.Millisecond), lost); !ok || d != time.Millisecond {
		t.Errorf("just before the end: %v, %v, want 1ms", d, ok)
	}
	if d, ok := b.next(start.Add(10*time.Second), lost); ok {
		t.Errorf("at the end: %v", d)
	}
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&LostError{}, true},
		{fmt.Errorf("wrapped: %w", &LostError{}), true},
		{&ConnectError{Stage: StageTCP}, true},
		{&ConnectError{Stage: StageTLS, permanent: true}, false},
		{&RefusedError{Packet: packet.CONNECT, Code: 3}, true},
		{&RefusedError{Packet: packet.CONNECT, Code: 5}, false},
		{&RefusedError{Packet: packet.SUBSCRIBE, Code: 0x80}, false},
		{&ProtocolError{}, false},
		{&OptionError{}, false},
		{context.Canceled, false},
		{errors.New("anything"), false},
	} {
		if got := retryable(test.err); got != test.want {
			t.Errorf("%T %v: %v", test.err, test.err, got)
		}
		b := backoff{policy: RetryPolicy{Enabled: true}}
		if _, ok := b.next(time.Time{}, test.err); ok != test.want {
			t.Errorf("%T %v: next says %v", test.err, test.err, ok)
		}
		b.policy.Enabled = false
		if d, ok := b.next(time.Time{}, test.err); ok {
			t.Errorf("%T %v: a wait of %v without a policy", test.err, test.err, d)
		}
	}
}
