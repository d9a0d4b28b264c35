package format

import (
	"fmt"
	"strings"
	"time"

	"mq/packet"
)

// payloadShown is how many bytes of a payload a packet line shows.
const payloadShown = 32

// shortDuration shows a step with three digits: 0.7 ms, 12.3 ms, 1.2 s.
func shortDuration(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func packetFields(p packet.Packet) string {
	switch p := p.(type) {
	case *packet.Connect:
		return connectFields(p)
	case *packet.Connack:
		return connackFields(p)
	case *packet.Publish:
		return publishFields(p)
	case *packet.Puback:
		return ackFields(p.PacketID, p.ReasonCode)
	case *packet.Pubrec:
		return ackFields(p.PacketID, p.ReasonCode)
	case *packet.Pubrel:
		return ackFields(p.PacketID, p.ReasonCode)
	case *packet.Pubcomp:
		return ackFields(p.PacketID, p.ReasonCode)
	case *packet.Subscribe:
		parts := []string{fmt.Sprintf("id=%d", p.PacketID)}
		for _, s := range p.Subscriptions {
			parts = append(parts, fmt.Sprintf("%s q%s", safe(s.Filter), s.QoS))
		}
		return strings.Join(parts, " ")
	case *packet.Suback:
		parts := []string{fmt.Sprintf("id=%d", p.PacketID)}
		for _, c := range p.Codes {
			parts = append(parts, grantedWord(c))
		}
		return strings.Join(parts, " ")
	case *packet.Unsubscribe:
		return fmt.Sprintf("id=%d %s", p.PacketID, safe(strings.Join(p.Filters, " ")))
	case *packet.Unsuback:
		return fmt.Sprintf("id=%d", p.PacketID)
	}
	return ""
}

func connectFields(p *packet.Connect) string {
	parts := []string{"v" + p.Version.String(), `id="` + safe(p.ClientID) + `"`}
	if p.CleanStart {
		parts = append(parts, "clean")
	}
	parts = append(parts, fmt.Sprintf("keepalive=%ds", p.KeepAlive))
	if p.HasUserName {
		parts = append(parts, `user="`+safe(p.UserName)+`"`)
	}
	if p.HasPassword {
		parts = append(parts, "password=•••")
	}
	if p.Will != nil {
		parts = append(parts, fmt.Sprintf("will=%s q%s", safe(p.Will.Topic), p.Will.QoS))
	}
	return strings.Join(parts, " ")
}

func connackFields(p *packet.Connack) string {
	switch {
	case p.Refused():
		return "refused: " + p.Why()
	case p.SessionPresent:
		return "accepted, session present"
	}
	return "accepted, no session"
}

func publishFields(p *packet.Publish) string {
	parts := []string{"q" + p.QoS.String()}
	if p.QoS > 0 {
		parts = append(parts, fmt.Sprintf("id=%d", p.PacketID))
	}
	if p.Dup {
		parts = append(parts, "dup")
	}
	if p.Retain {
		parts = append(parts, "retain")
	}
	payload, more := p.Payload, ""
	if len(payload) > payloadShown {
		payload, more = payload[:payloadShown], "…"
	}
	return strings.Join(append(parts, safe(string(p.Topic)), `"`+safe(string(payload))+`"`+more), " ")
}

func ackFields(id uint16, code packet.ReasonCode) string {
	s := fmt.Sprintf("id=%d", id)
	if code != 0 {
		s += " " + code.String()
	}
	return s
}

func grantedWord(code packet.ReasonCode) string {
	if code >= packet.ReasonCode(packet.SubackFailure) {
		return "refused"
	}
	return fmt.Sprintf("granted q%d", byte(code))
}

func safe(s string) string { return string(AppendSafe(nil, []byte(s))) }

// cells returns the width of s on a terminal.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}
