package bridge

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// renewals tells how far the renewal of refresh grants is behind. *mapping.Accounts implements it.
type renewals interface {
	RenewalsBehind(ctx context.Context) (time.Duration, error)
	RenewalsLate() time.Duration
}

// renewalsInTime returns the check of readyz that people are renewed before session.renew is over.
func renewalsInTime(accounts renewals) func(context.Context) error {
	return func(ctx context.Context) error {
		behind, err := accounts.RenewalsBehind(ctx)
		switch {
		case err != nil:
			return err
		case behind > accounts.RenewalsLate():
			return fmt.Errorf("refresh grants have been due for %s: providers are asked about people later "+
				"than session.renew says", behind.Round(time.Second))
		}
		return nil
	}
}

// behind is the metric of how long the refresh grant that is due the longest has been due.
func (b *bridge) behind() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "vexa_sso_behind_seconds",
		Help:        "How long what should have been done in the background by now has been due, by work.",
		ConstLabels: prometheus.Labels{"work": "renewal"},
	}, func() float64 {
		e := b.edge.Load()
		if e == nil {
			return 0
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		behind, err := e.accounts.RenewalsBehind(ctx)
		if err != nil {
			return math.NaN() // nobody knows
		}
		return behind.Seconds()
	})
}
