package connect

import (
	"context"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"mq/packet"
)

// Publish implements Session.
func (s *pahoSession) Publish(ctx context.Context, m *packet.Message, acked func(error)) error {
	select {
	case s.turn <- struct{}{}:
	default:
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-s.turn }()
	for {
		c, err := s.admit(ctx, m.QoS)
		if err != nil {
			return err
		}
		if s.handOver(c, m, acked) {
			s.published.Add(1)
			return nil
		}
	}
}

// admit waits until the session takes another message, and the socket another write. It returns the connection.
func (s *pahoSession) admit(ctx context.Context, qos packet.QoS) (*pahoConn, error) {
	for {
		if err := s.ledger.admit(ctx, qos); err != nil {
			return nil, err
		}
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		err := c.transport.waitBelow(ctx, coalesceMax)
		if err == nil || ctx.Err() != nil {
			return c, err
		}
		c.fail(c.readError(err)) // the ledger must know before it is asked again
	}
}

// handOver gives m to paho, for the connection c, and reports whether it was taken.
func (s *pahoSession) handOver(c *pahoConn, m *packet.Message, acked func(error)) bool {
	s.handed.Add(1)
	if m.QoS == packet.AtMostOnce {
		if tokenError(s.client.Publish(m.Topic, 0, m.Retain, m.Payload)) != nil {
			return false
		}
		if acked != nil {
			acked(nil)
		}
		return true
	}
	before := s.ledger.expect(acked)
	if tokenError(s.client.Publish(m.Topic, byte(m.QoS), m.Retain, m.Payload)) != nil {
		c.Close() // what is in the ledger goes out again on the next connection
	}
	return s.ledger.taken() != before
}

// tokenError returns the error of a token that has one already.
func tokenError(t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	default:
		return nil
	}
}
