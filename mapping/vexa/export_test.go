package vexa

import "time"

// SetTimeout makes calls give up sooner than people would like.
func SetTimeout(c *Client, d time.Duration) { c.timeout = d }
