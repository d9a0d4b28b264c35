package broker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// store keeps retained messages and sessions in a bbolt file. It takes the place of mochi's storage hook, which loses
// the packet identifiers of unacknowledged messages, turns refused subscriptions into granted ones and waits for the
// disk twice a message. Changes are collected and written every flushEvery, so that the many messages that are
// acknowledged sooner never reach the file. All methods of a nil store do nothing.
type store struct {
	path string
	db   *bbolt.DB

	mu      sync.Mutex
	pending map[storeKey]any // nil deletes
	err     error            // the first write that failed
	stop    chan struct{}    // nil when closed
	stopped chan struct{}
}

type storeKey struct{ bucket, key string }

const flushEvery = 100 * time.Millisecond

// The buckets of the file. Keys begin with the client identifier and a NUL byte, which MQTT strings cannot contain.
const (
	clientBucket       = "clients"
	subscriptionBucket = "subscriptions"
	messageBucket      = "messages"
	retainedBucket     = "retained"
)

var buckets = []string{clientBucket, subscriptionBucket, messageBucket, retainedBucket}

// StoreError says what is wrong with the store file.
type StoreError struct {
	Path  string
	Err   error
	hints []string
}

// Error names the file and the cause.
func (e *StoreError) Error() string { return fmt.Sprintf("store %s: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }

// Hints returns what to try next.
func (e *StoreError) Hints() []string { return e.hints }

// ErrStoreLocked means that another process has the store file open.
var ErrStoreLocked = errors.New("in use by another process")

func openStore(path string) (*store, error) {
	// Without fsync, a crash of the broker loses nothing that was written; a crash of the machine may.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoSync: true})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, &StoreError{path, ErrStoreLocked, []string{"stop the other broker, or choose another file"}}
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, &StoreError{path, errors.New("not a store of this broker"), []string{"choose another file; a new one is created"}}
	case err != nil:
		return nil, &StoreError{Path: path, Err: err}
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, &StoreError{Path: path, Err: errors.Join(err, db.Close())}
	}
	st := &store{path: path, db: db, pending: map[storeKey]any{}, stop: make(chan struct{}), stopped: make(chan struct{})}
	go st.run(st.stop)
	return st, nil
}

func (st *store) run(stop <-chan struct{}) {
	defer close(st.stopped)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			st.flush()
		case <-stop:
			st.flush()
			return
		}
	}
}

func (st *store) flush() {
	st.mu.Lock()
	pending := st.pending
	st.pending = map[storeKey]any{}
	st.mu.Unlock()
	if len(pending) == 0 {
		return
	}
	err := st.db.Update(func(tx *bbolt.Tx) error {
		for k, v := range pending {
			if err := writeEntry(tx.Bucket([]byte(k.bucket)), []byte(k.key), v); err != nil {
				return err
			}
		}
		return nil
	})
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil && st.err == nil {
		st.err = &StoreError{Path: st.path, Err: err}
	}
}

func writeEntry(b *bbolt.Bucket, key []byte, v any) error {
	if v == nil {
		return b.Delete(key)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, data)
}

// close writes what is pending and closes the file. It returns the first error of any write.
func (st *store) close() error {
	if st == nil {
		return nil
	}
	st.mu.Lock()
	stop := st.stop
	st.stop = nil
	st.mu.Unlock()
	if stop == nil {
		return nil
	}
	close(stop)
	<-st.stopped
	return errors.Join(st.err, st.db.Sync(), st.db.Close())
}

func (st *store) put(bucket, key string, v any) {
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.pending[storeKey{bucket, key}] = v
}

type storedClient struct {
	ID, Username     string
	Version          byte
	Clean            bool
	SessionExpiry    uint32
	HasSessionExpiry bool
}

type storedSubscription struct {
	Client       string
	Subscription packets.Subscription
}

type storedMessage struct {
	Client          string `json:",omitempty"`
	Type, QoS       byte
	Dup, Retain     bool `json:",omitempty"`
	ID              uint16
	Topic           string
	Payload         []byte
	Properties      packets.Properties
	Version         byte
	Created, Expiry int64
	Origin          string
}

func newStoredMessage(client string, pk packets.Packet) storedMessage {
	return storedMessage{
		Client: client, Type: pk.FixedHeader.Type, QoS: pk.FixedHeader.Qos, Dup: pk.FixedHeader.Dup, Retain: pk.FixedHeader.Retain,
		ID: pk.PacketID, Topic: pk.TopicName, Payload: pk.Payload, Properties: pk.Properties, Version: pk.ProtocolVersion,
		Created: pk.Created, Expiry: pk.Expiry, Origin: pk.Origin,
	}
}

func (m storedMessage) packet() packets.Packet {
	return packets.Packet{
		FixedHeader: packets.FixedHeader{Type: m.Type, Qos: m.QoS, Dup: m.Dup, Retain: m.Retain},
		PacketID:    m.ID, TopicName: m.Topic, Payload: m.Payload, Properties: m.Properties, ProtocolVersion: m.Version,
		Created: m.Created, Expiry: m.Expiry, Origin: m.Origin,
	}
}

func (st *store) putClient(cl *mochi.Client) {
	if st == nil {
		return
	}
	if expires(cl) {
		st.dropClient(cl)
		return
	}
	p := &cl.Properties
	st.put(clientBucket, cl.ID, storedClient{
		ID: cl.ID, Username: string(p.Username), Version: p.ProtocolVersion, Clean: p.Clean,
		SessionExpiry: p.Props.SessionExpiryInterval, HasSessionExpiry: p.Props.SessionExpiryIntervalFlag,
	})
}

func (st *store) dropClient(cl *mochi.Client) { st.put(clientBucket, cl.ID, nil) }

func (st *store) putSubscription(cl *mochi.Client, sub packets.Subscription) {
	if st == nil || expires(cl) {
		return
	}
	st.put(subscriptionBucket, cl.ID+"\x00"+sub.Filter, storedSubscription{cl.ID, sub})
}

func (st *store) dropSubscription(cl *mochi.Client, filter string) {
	st.put(subscriptionBucket, cl.ID+"\x00"+filter, nil)
}

func (st *store) putMessage(cl *mochi.Client, pk packets.Packet) {
	if st == nil || expires(cl) {
		return
	}
	st.put(messageBucket, messageKey(cl, pk.PacketID), newStoredMessage(cl.ID, pk))
}

func (st *store) dropMessage(cl *mochi.Client, id uint16) {
	if st != nil {
		st.put(messageBucket, messageKey(cl, id), nil)
	}
}

func messageKey(cl *mochi.Client, id uint16) string {
	return cl.ID + "\x00" + string(binary.BigEndian.AppendUint16(nil, id))
}

func (st *store) putRetained(pk packets.Packet) {
	st.put(retainedBucket, pk.TopicName, newStoredMessage("", pk))
}

func (st *store) dropRetained(topic string) { st.put(retainedBucket, topic, nil) }
