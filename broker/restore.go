package broker

import (
	"encoding/json"
	"fmt"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.etcd.io/bbolt"
)

// restore gives the broker what the file holds. Sessions come back as clients that have just disconnected.
func (st *store) restore(s *Server) error {
	if st == nil {
		return nil
	}
	err := st.db.View(func(tx *bbolt.Tx) error {
		if err := each(tx, clientBucket, func(c storedClient) { s.restoreClient(c) }); err != nil {
			return err
		}
		if err := each(tx, subscriptionBucket, func(v storedSubscription) { s.restoreSubscription(v) }); err != nil {
			return err
		}
		if err := each(tx, messageBucket, func(m storedMessage) { s.restoreMessage(m) }); err != nil {
			return err
		}
		return each(tx, retainedBucket, func(m storedMessage) {
			s.mqtt.Topics.RetainMessage(m.packet())
			s.mqtt.Info.Retained++
		})
	})
	if err != nil {
		return &StoreError{Path: st.path, Err: err, hints: []string{"choose another file, or remove this one to start afresh"}}
	}
	return nil
}

// each decodes the values of one bucket.
func each[T any](tx *bbolt.Tx, bucket string, use func(T)) error {
	return tx.Bucket([]byte(bucket)).ForEach(func(_, data []byte) error {
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("damaged entry in %q: %w", bucket, err)
		}
		use(v)
		return nil
	})
}

func (s *Server) restoreClient(c storedClient) {
	conn := &conn{Conn: noConn{}}
	conn.session = newSession(s, conn)
	cl := s.mqtt.NewClient(nil, "", c.ID, false)
	cl.Net.Conn = conn
	cl.Properties.Username, cl.Properties.ProtocolVersion, cl.Properties.Clean = []byte(c.Username), c.Version, c.Clean
	cl.Properties.Props.SessionExpiryInterval = c.SessionExpiry
	cl.Properties.Props.SessionExpiryIntervalFlag = c.HasSessionExpiry
	ss := conn.session
	ss.adopt(cl)
	ss.acl = s.opts.Users.aclFor(c.Username, c.ID)
	close(ss.ready)
	close(ss.resumed)
	close(ss.gone)
	cl.Stop(packets.ErrServerShuttingDown)
	s.mqtt.Clients.Add(cl)
}

func (s *Server) restoreSubscription(v storedSubscription) {
	if cl, ok := s.mqtt.Clients.Get(v.Client); ok {
		s.mqtt.Topics.Subscribe(v.Client, v.Subscription)
		cl.State.Subscriptions.Add(v.Subscription.Filter, v.Subscription)
		s.mqtt.Info.Subscriptions++
	}
}

func (s *Server) restoreMessage(m storedMessage) {
	if cl, ok := s.mqtt.Clients.Get(m.Client); ok {
		cl.State.Inflight.Set(m.packet())
		s.mqtt.Info.Inflight++
	}
}
