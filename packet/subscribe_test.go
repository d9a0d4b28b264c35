package packet

import (
	"strings"
	"testing"
)

func TestSubscribe(t *testing.T) {
	roundTrip(t, V311, &Subscribe{PacketID: 10, Subscriptions: []Subscription{{Filter: "a/#", QoS: 1}, {Filter: "+"}}}, "82 0c 000a 0003 612f23 01 0001 2b 00")
	roundTrip(t, V31, &Subscribe{Dup: true, PacketID: 10, Subscriptions: []Subscription{{Filter: "a", QoS: 2}}}, "8a 06 000a 0001 61 02")
	roundTrip(t, V5, &Subscribe{
		PacketID: 10, Properties: props(t, func(b *PropertyBuilder) { b.Uint(PropSubscriptionIdentifier, 128).User("a", "b") }),
		Subscriptions: []Subscription{
			{Filter: "a", QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2},
			{Filter: "$share/g/a", RetainHandling: 1},
		},
	}, "82 1e 000a 0a 0b8001 260001610001 62 0001 61 2e 000a 2473686172652f672f61 10")
}

func TestSubscribeRefuses(t *testing.T) {
	one := func(s Subscription) *Subscribe { return &Subscribe{PacketID: 1, Subscriptions: []Subscription{s}} }
	for _, v := range []Version{V31, V311, V5} {
		refuses(t, v, &Subscribe{PacketID: 1}, ErrProtocol, "Topic Filter") // [MQTT-3.8.3-2]
		refuses(t, v, &Subscribe{Subscriptions: []Subscription{{Filter: "a"}}}, ErrProtocol, "Packet Identifier")
		refuses(t, v, one(Subscription{}), ErrMalformed, "Topic Filter")
		refuses(t, v, one(Subscription{Filter: "a#"}), ErrMalformed, "Topic Filter")
		refuses(t, v, one(Subscription{Filter: "a", QoS: 3}), ErrMalformed, "Maximum QoS")
		refuses(t, v, one(Subscription{Filter: strings.Repeat("a", MaxStringLen+1)}), ErrTooLarge, "Topic Filter")
	}
	refuses(t, V311, one(Subscription{Filter: "a", NoLocal: true}), ErrProtocol, "No Local")
	refuses(t, V311, one(Subscription{Filter: "a", RetainAsPublished: true}), ErrProtocol, "Retain As Published")
	refuses(t, V311, one(Subscription{Filter: "a", RetainHandling: 1}), ErrProtocol, "Retain Handling")
	refuses(t, V5, one(Subscription{Filter: "a", RetainHandling: 3}), ErrProtocol, "Retain Handling")
	refuses(t, V5, one(Subscription{Filter: "a", RetainHandling: 17}), ErrProtocol, "Retain Handling")
	refuses(t, V5, one(Subscription{Filter: "$share/g/a", NoLocal: true}), ErrProtocol, "Subscription Options") // [MQTT-3.8.3-4]
	refuses(t, V5, one(Subscription{Filter: "$share/g"}), ErrMalformed, "Topic Filter")
	refuses(t, V5, &Subscribe{Dup: true, PacketID: 1, Subscriptions: []Subscription{{Filter: "a"}}}, ErrProtocol, "DUP")
}
