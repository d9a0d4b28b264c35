package flow

import (
	"bytes"
	"hash/maphash"

	"mq/packet"
)

// requests pairs requests with their responses, by response topic and correlation data (section 4.10).
type requests struct {
	waiting map[uint64]*pendingRequest
	queue   []*pendingRequest // in the order they were sent
}

const maxRequests = 1024

// pendingRequest is a request without a response.
type pendingRequest struct {
	key    uint64
	number int64
	topic  []byte
	conn   int // of the requester
	id     ConnID
	client string
	steps  [4]Step
	n      int
	done   bool
}

func (r *pendingRequest) add(t *Tracker, c *conn) {
	if r.n < len(r.steps) {
		r.steps[r.n] = Step{t.ev.Number, packet.PUBLISH, t.ev.Dir, t.at, c.id}
		r.n++
	}
}

func (r *requests) key(t *Tracker, c *conn, topic []byte, x *pubProps) uint64 {
	return maphash.Bytes(t.seed, topic)*31 + maphash.Bytes(t.seed, x.correlation) ^ c.serverHash
}

// publish notes a client's request or response.
func (r *requests) publish(t *Tracker, c *conn, m *message) {
	if m.props.hasReply && !m.resent {
		r.begin(t, c, r.key(t, c, m.props.reply, m.props), m.topic)
		return
	}
	if len(r.waiting) == 0 || m.resent {
		return
	}
	if q := r.waiting[r.key(t, c, m.topic, m.props)]; q != nil {
		q.add(t, c)
		t.ev.Flow, t.ev.Step = q.number, q.n
	}
}

func (r *requests) begin(t *Tracker, c *conn, key uint64, topic []byte) {
	if old := r.waiting[key]; old != nil {
		old.done = true // one with the same correlation data takes its place
	}
	if len(r.queue) >= maxRequests {
		r.drop(t, r.queue[0])
		r.queue = r.queue[1:]
	}
	q := &pendingRequest{key: key, number: t.nextFlow(), topic: bytes.Clone(topic), conn: c.number, id: c.id, client: c.clientID}
	q.add(t, c)
	if m := t.ev.Flow; m == 0 {
		t.ev.Flow, t.ev.Step = q.number, 1
	}
	r.waiting[key] = q
	r.queue = append(r.queue, q)
}

// deliver notes the way of a request to its responder and of the response back.
func (r *requests) deliver(t *Tracker, c *conn, m *message) {
	if len(r.waiting) == 0 {
		return
	}
	if m.props.hasReply {
		if q := r.waiting[r.key(t, c, m.props.reply, m.props)]; q != nil && q.n == 1 {
			q.add(t, c)
		}
		return
	}
	q := r.waiting[r.key(t, c, m.topic, m.props)]
	if q == nil || q.conn != c.number {
		return
	}
	q.add(t, c)
	item := r.event(t, q)
	item.Outcome, item.Words = Completed, "answered"
	t.sum.latency[KindRequest].add(int64(item.Total))
	t.completes = len(t.flows) - 1
	r.forget(q)
}

// event begins the event of q.
func (r *requests) event(t *Tracker, q *pendingRequest) *flowItem {
	item := t.flow(&conn{id: q.id, number: q.conn, clientID: q.client}, KindRequest, q.number, nil)
	copy(item.steps[:], q.steps[:q.n])
	item.Steps = item.steps[:q.n]
	item.Topic, item.Dir = q.topic, packet.ClientToServer
	item.Total = max(0, q.steps[q.n-1].Time.Sub(q.steps[0].Time))
	return item
}

func (r *requests) forget(q *pendingRequest) {
	q.done = true
	if r.waiting[q.key] == q {
		delete(r.waiting, q.key)
	}
}

// drop gives up on q.
func (r *requests) drop(t *Tracker, q *pendingRequest) {
	if q.done {
		return
	}
	item := r.event(t, q)
	item.Outcome, item.Words = Incomplete, "no response"
	t.sum.incomplete[KindRequest]++
	r.forget(q)
}

// sweep lets go of what is done or too old.
func (r *requests) sweep(t *Tracker) {
	for len(r.queue) > 0 {
		q := r.queue[0]
		if !q.done && !t.finished && t.at.Sub(q.steps[0].Time) <= t.o.Window {
			return
		}
		r.drop(t, q)
		r.queue = r.queue[1:]
	}
}
