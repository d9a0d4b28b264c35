package flow

import (
	"bytes"

	"mq/packet"
)

// pubProps are the properties of a PUBLISH that matter here, read in one pass. Byte slices alias the packet.
type pubProps struct {
	alias, expiry, format           uint32
	hasExpiry, hasReply, hasData    bool
	hasType, hasID                  bool
	reply, correlation, contentType []byte
}

func (x *pubProps) read(p packet.Properties) {
	*x = pubProps{}
	for {
		f, rest, ok := p.Next()
		if !ok {
			return
		}
		switch f.ID {
		case packet.PropTopicAlias:
			x.alias = f.Uint
		case packet.PropMessageExpiryInterval:
			x.expiry, x.hasExpiry = f.Uint, true
		case packet.PropPayloadFormatIndicator:
			x.format = f.Uint
		case packet.PropResponseTopic:
			x.reply, x.hasReply = f.Bytes, true
		case packet.PropCorrelationData:
			x.correlation, x.hasData = f.Bytes, true
		case packet.PropContentType:
			x.contentType, x.hasType = f.Bytes, true
		case packet.PropSubscriptionIdentifier:
			x.hasID = true
		}
		p = rest
	}
}

// unaltered compares what the broker must pass on as it is. It returns the rule that is broken, "" for none.
func (x *pubProps) unaltered(out *pubProps) string {
	switch {
	case x.format != out.format: // 0 is the same as absent
		return "E49"
	case x.hasReply != out.hasReply || !bytes.Equal(x.reply, out.reply):
		return "E50"
	case x.hasData != out.hasData || !bytes.Equal(x.correlation, out.correlation):
		return "E51"
	case x.hasType != out.hasType || !bytes.Equal(x.contentType, out.contentType):
		return "E54"
	}
	return ""
}
