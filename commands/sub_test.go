package commands

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mq/connect"
	"mq/packet"
)

func TestParseSubscription(t *testing.T) {
	for in, want := range map[string]connect.Subscription{
		"a": {Filter: "a", QoS: 1}, "a@0": {Filter: "a", QoS: 0}, "a/#@2": {Filter: "a/#", QoS: 2}, "#@1": {Filter: "#", QoS: 1},
		"a@x": {Filter: "a@x", QoS: 1}, "a@10": {Filter: "a@10", QoS: 1}, "a@": {Filter: "a@", QoS: 1}, "@2": {Filter: "@2", QoS: 1},
		"a@b@2": {Filter: "a@b", QoS: 2}, "user@host/x": {Filter: "user@host/x", QoS: 1}, "+/+": {Filter: "+/+", QoS: 1},
	} {
		got, err := parseSubscription(in, packet.AtLeastOnce)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", in, err, diff)
		}
	}
	for in, want := range map[string]string{"a@3": "@3 is not a QoS", "a@9": "@9 is not a QoS", "a#": `"a#"`, "a/#/b": `"a/#/b"`, "": "at least one character", "a\x00": "U+0000"} {
		if _, err := parseSubscription(in, 0); err == nil || !strings.Contains(err.Error(), want) || statusOf(err) != 2 {
			t.Errorf("%q: error %v, want one with %q and status 2", in, err, want)
		}
	}
}

func TestSubEndless(t *testing.T) {
	for _, o := range []*subOptions{{count: 1}, {timeout: 1}, {exitAfter: true}, {onlyRetained: true}} {
		if o.endless() {
			t.Errorf("%+v is endless", o)
		}
	}
	if !(&subOptions{random: 50, verbose: 1}).endless() {
		t.Error("a plain sub ends")
	}
}
