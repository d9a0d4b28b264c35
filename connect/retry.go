package connect

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often and how long to try to connect. The zero value is: once.
type RetryPolicy struct {
	Enabled bool
	For     time.Duration // give up this long after the first failure; 0 is never
}

// Backoff bounds: the first wait is up to backoffMin, each further one up to twice the one before, none over backoffMax.
const (
	backoffMin = 250 * time.Millisecond
	backoffMax = 15 * time.Second
)

// backoff counts failed attempts and says how long to wait before the next.
type backoff struct {
	policy  RetryPolicy
	started time.Time
	attempt int
}

// next returns the wait before the next attempt, and false when there is to be none. Half of the wait is random, so that
// many clients of one server do not return all at once.
func (b *backoff) next(now time.Time, err error) (time.Duration, bool) {
	if !b.policy.Enabled || !retryable(err) {
		return 0, false
	}
	if b.attempt == 0 {
		b.started = now
	}
	wait := backoffMax
	if b.attempt < 6 {
		wait = backoffMin << b.attempt
	}
	b.attempt++
	wait = wait/2 + rand.N(wait/2)
	if b.policy.For > 0 {
		left := b.policy.For - now.Sub(b.started)
		if left <= 0 {
			return 0, false
		}
		wait = min(wait, left)
	}
	return wait, true
}

// retryable reports whether the same attempt may succeed later: not when the server refused for good, and not when our
// own side is wrong.
func retryable(err error) bool {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return !refused.Fatal()
	}
	var ce *ConnectError
	if errors.As(err, &ce) {
		return !ce.permanent
	}
	var lost *LostError
	return errors.As(err, &lost)
}

// Sleep waits for d or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
