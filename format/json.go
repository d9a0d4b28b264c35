package format

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"mq/packet"
)

// JSONOptions says how AppendJSON prints.
type JSONOptions struct {
	// Embed puts a payload that is JSON into the object as the value it is (%J), instead of as a string (%j).
	Embed bool
	// Typed begins the object with "type":"message", as every line of --json has a type.
	Typed bool
	// Pretty indents the object over several lines (--pretty).
	Pretty bool
}

// AppendJSON appends m as one JSON object without a line feed after it: one line, unless o.Pretty. The keys are those of
// mosquitto's %j, in its order: tst, topic, qos, retain (0 or 1), payloadlen, mid (above QoS 0 only), and the payload.
// Which key holds the payload says what it was:
//
//   - payload, without o.Embed: a JSON string, the payload's text;
//   - payload, with o.Embed: the JSON value the payload was, every digit and duplicate key kept, only white space
//     between its parts dropped. A string here is a payload that was a JSON string, in quotes;
//   - payload_text, with o.Embed only: a JSON string, the text of a payload that is not JSON;
//   - payload_base64: standard base64 of a payload that is not UTF-8.
//
// An empty payload is "payload":null, as in mosquitto, and has payloadlen 0. NotJSON is returned if o.Embed found
// something that is not JSON. A topic that is not UTF-8, which MQTT forbids, is shown with U+FFFD and followed by
// topic_base64.
//
// Characters that could drive or spoof a terminal are written as \u escapes in every string, so the output is as safe as
// that of AppendSafe and means the same.
func AppendJSON(dst []byte, m *packet.Message, at time.Time, o JSONOptions) ([]byte, Problem) {
	if !o.Pretty {
		return appendJSON(dst, m, at, o)
	}
	line, problem := appendJSON(nil, m, at, o)
	var b bytes.Buffer
	if err := json.Indent(&b, line, "", "  "); err != nil {
		return append(dst, line...), problem // unreachable as long as the line is valid JSON
	}
	return append(dst, b.Bytes()...), problem
}

func appendJSON(dst []byte, m *packet.Message, at time.Time, o JSONOptions) ([]byte, Problem) {
	dst = append(dst, '{')
	if o.Typed {
		dst = append(dst, `"type":"message",`...)
	}
	dst = append(dst, `"tst":"`...)
	dst = at.AppendFormat(dst, "2006-01-02T15:04:05.000000-0700")
	dst = append(dst, `","topic":`...)
	dst = appendJSONString(dst, m.Topic)
	if !utf8.ValidString(m.Topic) {
		dst = append(dst, `,"topic_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(m.Topic))
		dst = append(dst, '"')
	}
	dst = append(dst, `,"qos":`...)
	dst = strconv.AppendUint(dst, uint64(m.QoS), 10)
	dst = append(dst, `,"retain":`...)
	dst = append(dst, boolDigit(m.Retain))
	dst = append(dst, `,"payloadlen":`...)
	dst = strconv.AppendInt(dst, int64(len(m.Payload)), 10)
	if m.QoS > 0 {
		dst = append(dst, `,"mid":`...)
		dst = strconv.AppendUint(dst, uint64(m.PacketID), 10)
	}
	dst = append(dst, ',')
	dst, problem := appendJSONPayload(dst, m.Payload, o.Embed)
	return append(dst, '}'), problem
}

func appendJSONPayload(dst, payload []byte, embed bool) ([]byte, Problem) {
	if len(payload) == 0 {
		return append(dst, `"payload":null`...), 0
	}
	var problem Problem
	isText := utf8.Valid(payload)
	if embed {
		if isText && embeddable(payload) {
			return appendCompact(append(dst, `"payload":`...), payload), 0
		}
		problem = NotJSON
	}
	switch {
	case !isText:
		dst = append(dst, `"payload_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, payload)
		return append(dst, '"'), problem
	case embed:
		dst = append(dst, `"payload_text":`...)
	default:
		dst = append(dst, `"payload":`...)
	}
	return appendJSONString(dst, payload), problem
}

func boolDigit(b bool) byte {
	if b {
		return '1'
	}
	return '0'
}
