//go:build !linux

package tap

import (
	"context"
	"runtime"
)

// Live watches a network interface, which this system does not let it: the error says what to do instead.
func Live(context.Context, LiveOptions, Sink) error {
	return &Error{What: "watching an interface works on Linux only, this is " + runtime.GOOS,
		hints: []string{"record with tcpdump and pipe it in: `tcpdump -w - port 1883 | mq inspect read -`",
			"or put a proxy in between: `mq inspect proxy --listen :1884 --to mqtt://HOST`"}}
}
