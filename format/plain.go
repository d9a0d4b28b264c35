package format

import "mq/packet"

// PlainOptions says how AppendPlain prints. With the zero value it prints the exact bytes of mosquitto_sub.
type PlainOptions struct {
	// Verbose puts the topic before the payload (-v).
	Verbose bool
	// NoNewline leaves out the line feed after each message (-N).
	NoNewline bool
	// Safe passes topic and payload through AppendSafe, for a terminal.
	Safe bool
	// Multiline lets a Safe payload keep its line feeds and tabs.
	Multiline bool
	// Palette colours the topic, and payloads of retained and duplicate messages that are printed without their topic.
	Palette Palette
}

// AppendPlain appends m the way mosquitto_sub prints it without -F: "payload\n", and nothing at all for an empty
// payload; or with Verbose "topic payload\n", and "topic (null)\n" for an empty payload. Like mosquitto_sub it prints
// nothing for an empty payload with both Verbose and NoNewline.
func AppendPlain(dst []byte, m *packet.Message, o PlainOptions) []byte {
	return appendPlain(dst, m, &o)
}

func appendPlain(dst []byte, m *packet.Message, o *PlainOptions) []byte {
	empty := len(m.Payload) == 0
	if empty && (!o.Verbose || o.NoNewline) {
		return dst
	}
	special := Style{}
	switch {
	case m.Dup:
		special = o.Palette.Duplicate
	case m.Retain:
		special = o.Palette.Retained
	}
	payload := o.Palette.Payload
	if o.Verbose {
		topic := special
		if topic == (Style{}) {
			topic = o.Palette.Topic
		}
		dst = appendStyled(dst, topic, m.Topic, o.Safe, false)
		dst = append(dst, ' ')
	} else if special != (Style{}) {
		payload = special
	}
	if empty {
		dst = o.Palette.Dim.Append(dst, "(null)")
	} else {
		dst = appendStyled(dst, payload, m.Payload, o.Safe, o.Multiline)
	}
	if !o.NoNewline {
		dst = append(dst, '\n')
	}
	return dst
}

func appendStyled[T text](dst []byte, st Style, s T, safe, lines bool) []byte {
	dst = append(dst, st.on...)
	dst = appendText(dst, s, safe, lines)
	return append(dst, st.off...)
}

func appendText[T text](dst []byte, s T, safe, lines bool) []byte {
	if safe {
		return appendSafe(dst, s, lines)
	}
	return append(dst, s...)
}
