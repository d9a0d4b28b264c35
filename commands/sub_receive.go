package commands

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mq/connect"
	"mq/packet"
)

// receiver takes messages from a session, decides what to do with each, and knows when to end.
type receiver struct {
	env     *Env
	o       *subOptions
	talk    *talk
	out     *subOutput
	session connect.Session
	remover *remover

	printed  atomic.Int64
	total    atomic.Int64
	arrivals atomic.Int64
	full     atomic.Bool // nothing more is accepted
	done     chan error  // the first reason to end
}

// errDone ends a run that did what it was asked for.
var errDone = errors.New("done")

func newReceiver(env *Env, o *subOptions, t *talk, out *subOutput) *receiver {
	return &receiver{env: env, o: o, talk: t, out: out, done: make(chan error, 1)}
}

func (r *receiver) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.o.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, r.o.timeout, r.timeoutCause())
}

// timeoutCause marks the end of -W; the message is made when it happens.
func (r *receiver) timeoutCause() error { return &timeoutError{"-W ran out"} }

// end gives the reason to end the run; only the first counts.
func (r *receiver) end(err error) {
	r.full.Store(true)
	select {
	case r.done <- err:
	default:
	}
}

// run subscribes and waits for the first reason to end.
func (r *receiver) run(ctx context.Context) error {
	if r.o.removeRetained {
		r.remover = newRemover(r.session)
		go r.remover.run(ctx)
	}
	if err := r.subscribe(ctx); err != nil {
		return r.ended(ctx, err)
	}
	if r.o.exitAfter {
		return nil
	}
	stop := make(chan struct{})
	defer close(stop)
	if r.o.messageRate {
		go r.showRate(stop)
	}
	if r.o.onlyRetained {
		go r.endWhenQuiet(ctx, stop)
	}
	var err error
	select {
	case err = <-r.done:
	case <-r.session.Done():
		err = r.session.Err()
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.full.Store(true)
	if r.remover != nil {
		err = errors.Join(err, r.remover.finish())
	}
	return r.ended(ctx, err)
}

// ended says what the end of the run means.
func (r *receiver) ended(ctx context.Context, err error) error {
	var i *Interrupted
	switch {
	case errors.Is(err, errDone):
		return nil
	case err == nil || ctx.Err() == nil:
		return err
	case isA[*timeoutError](context.Cause(ctx)):
		return r.timeoutError()
	case errors.As(context.Cause(ctx), &i):
		if r.session != nil && r.o.endless() {
			return nil
		}
		return i
	}
	return err
}

// receive handles one message, in the session's goroutine. What it does not accept is not acknowledged.
func (r *receiver) receive(m *packet.Message) bool {
	if r.full.Load() || r.o.exitAfter {
		return false
	}
	r.arrivals.Add(1)
	if r.o.onlyRetained && !m.Retain {
		r.end(errDone)
		return false
	}
	if r.filteredOut(m) || m.Retain && r.o.noRetained {
		return true
	}
	if m.Retain && r.remover != nil && len(m.Payload) > 0 {
		r.remover.add(m.Topic)
	}
	if r.o.random > 0 && rand.Float64()*100 >= r.o.random {
		return true
	}
	r.total.Add(1)
	if !r.o.messageRate {
		if err := r.out.print(m, r.env.Now()); err != nil {
			r.end(err)
			return false
		}
	}
	if n := r.printed.Add(1); r.o.count > 0 && n >= int64(r.o.count) {
		r.end(errDone)
	}
	return true
}

func (r *receiver) filteredOut(m *packet.Message) bool {
	for _, f := range r.o.filterOut {
		if packet.MatchTopic(f, m.Topic) {
			return true
		}
	}
	return false
}

// retainedQuiet is how long after the last retained message the set counts as delivered: MQTT 3.1.1 has no mark for it.
const retainedQuiet = 300 * time.Millisecond

// endWhenQuiet ends the run when no message has come for a while after the subscriptions were acknowledged.
func (r *receiver) endWhenQuiet(ctx context.Context, stop <-chan struct{}) {
	t := time.NewTicker(retainedQuiet)
	defer t.Stop()
	for last := int64(-1); ; {
		n := r.arrivals.Load()
		if n == last {
			r.end(errDone)
			return
		}
		last = n
		select {
		case <-t.C:
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
	}
}

// showRate prints the number of messages each second.
func (r *receiver) showRate(stop <-chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for last, at := int64(0), r.env.Now(); ; {
		select {
		case <-t.C:
		case <-stop:
			return
		}
		now, n := r.env.Now(), r.total.Load()
		if err := r.out.rate(n-last, now.Sub(at)); err != nil {
			r.end(err)
			return
		}
		last, at = n, now
	}
}

// remover publishes an empty retained message to the topics it is given, in a goroutine of its own: the session's must
// not wait for the acknowledgements that it reads itself.
type remover struct {
	session connect.Session
	mu      sync.Mutex
	topics  []string
	wake    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	err     error
}

func newRemover(s connect.Session) *remover {
	return &remover{session: s, wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{})}
}

func (r *remover) add(topic string) {
	r.mu.Lock()
	r.topics = append(r.topics, topic)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *remover) run(ctx context.Context) {
	defer close(r.stopped)
	for stopping := false; !stopping; {
		select {
		case <-r.wake:
		case <-r.stop:
			stopping = true
		}
		r.mu.Lock()
		topics := r.topics
		r.topics = nil
		r.mu.Unlock()
		for _, t := range topics {
			m := packet.Message{Topic: t, QoS: packet.AtLeastOnce, Retain: true}
			if r.err = r.session.Publish(ctx, &m, nil); r.err != nil {
				return
			}
		}
	}
}

// finish removes what is left and waits, for a bounded time, until the broker has acknowledged it.
func (r *remover) finish() error {
	close(r.stop)
	<-r.stopped
	if r.err != nil && !errors.Is(r.err, context.Canceled) && !errors.Is(r.err, context.DeadlineExceeded) {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := r.session.Drain(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	} else if err != nil {
		return &failure{msg: "the broker did not acknowledge the removal of every retained message", err: err}
	}
	return nil
}

// quietPipe drops the error of a reader that has gone: `| head -1` has what it wanted.
func quietPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
