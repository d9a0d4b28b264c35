package connect

import (
	"cmp"
	"context"
	"fmt"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"mq/packet"
)

// Subscribe implements Session.
func (s *pahoSession) Subscribe(ctx context.Context, subs []Subscription) ([]SubscribeResult, error) {
	filters := make(map[string]byte, len(subs))
	for _, sub := range subs {
		if err := packet.CheckTopicFilter(sub.Filter); err != nil {
			return nil, err
		}
		if !sub.QoS.Valid() {
			return nil, &OptionError{Flag: "qos", Value: sub.QoS.String(), Reason: "want 0, 1 or 2"}
		}
		filters[sub.Filter] = byte(sub.QoS)
	}
	if len(subs) == 0 {
		return nil, nil // a SUBSCRIBE without filters is not allowed [MQTT-3.8.3-3]
	}
	var results map[string]byte
	err := s.untilAnswered(ctx, func() (err error) {
		results, err = s.subscribe(ctx, filters)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	out := make([]SubscribeResult, len(subs))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, sub := range subs {
		out[i] = SubscribeResult{Filter: sub.Filter, QoS: packet.QoS(results[sub.Filter])}
		if code := results[sub.Filter]; !packet.QoS(code).Valid() {
			out[i].QoS, out[i].Refused = 0, refusedSubscribe(sub.Filter, code)
			continue
		}
		s.subs[sub.Filter] = sub.QoS
	}
	return out, nil
}

// untilAnswered asks again, on the next connection, while the connection breaks before the answer.
func (s *pahoSession) untilAnswered(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := s.ledger.admit(ctx, packet.AtMostOnce); err != nil {
			return err
		}
	}
}

func (s *pahoSession) subscribe(ctx context.Context, filters map[string]byte) (map[string]byte, error) {
	token := s.client.SubscribeMultiple(filters, nil).(*mqtt.SubscribeToken)
	if err := s.wait(ctx, token); err != nil {
		return nil, err
	}
	return token.Result(), nil
}

// wait waits for a token, the end of ctx or the end of the session.
func (s *pahoSession) wait(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return cmp.Or(s.Err(), ErrClosed)
	}
}

// resubscribe is called after every CONNACK. A server that kept the session kept its subscriptions.
func (s *pahoSession) resubscribe() {
	s.mu.Lock()
	if !s.opened || s.conn.number == 1 || s.present || len(s.subs) == 0 {
		s.mu.Unlock()
		return
	}
	filters := make(map[string]byte, len(s.subs))
	for f, q := range s.subs {
		filters[f] = byte(q)
	}
	s.mu.Unlock()
	results, err := s.subscribe(s.ctx, filters)
	if err != nil {
		return // the connection broke again, or the session ended
	}
	for f, code := range results {
		if !packet.QoS(code).Valid() {
			s.end(refusedSubscribe(f, code))
			return
		}
	}
	s.opts.OnEvent(Event{Kind: EventResubscribed})
}

// Unsubscribe implements Session.
func (s *pahoSession) Unsubscribe(ctx context.Context, filters []string) error {
	s.mu.Lock()
	for _, f := range filters {
		delete(s.subs, f)
	}
	s.mu.Unlock()
	if len(filters) == 0 {
		return nil // an UNSUBSCRIBE without filters is not allowed [MQTT-3.10.3-2]
	}
	err := s.untilAnswered(ctx, func() error { return s.wait(ctx, s.client.Unsubscribe(filters...)) })
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	return nil
}
