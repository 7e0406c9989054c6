package oidctest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tenantPlaceholder stands in issuers of common and organizations where a tenant's id belongs.
const tenantPlaceholder = "{tenantid}"

// The keys for personal accounts and of another cloud are the same for all doubles of a process, as they are
// for all tenants in life, and as generating them is slow.
var (
	sharedMSAKey = sync.OnceValues(func() (*Key, error) {
		return newCertifiedKey("accounts.accesscontrol.windows.net", time.Now())
	})
	sharedForeignKey = sync.OnceValues(func() (*Key, error) {
		return newCertifiedKey("login.microsoftonline.us", time.Now())
	})
)

// keysCacheControl is that of discovery; that the key sets have the same is believed, not documented.
const keysCacheControl = "max-age=86400, private"

// makeKeyrings sets up a key of its own for work tenants, signing, and one for personal accounts.
func (e *Entra) makeKeyrings() {
	e.keys = newKeyring(keysCacheControl, func() (*Key, error) {
		key, err := newCertifiedKey("accounts.accesscontrol.windows.net", e.now())
		return e.scoped(key, err, tenantPlaceholder, e.options.CloudInstance)
	})
	first := true
	e.msaKeys = newKeyring(keysCacheControl, func() (*Key, error) {
		if first {
			first = false
			key, err := sharedMSAKey()
			return e.scoped(key, err, MSATenant, e.options.CloudInstance)
		}
		key, err := newCertifiedKey("accounts.accesscontrol.windows.net", e.now())
		return e.scoped(key, err, MSATenant, e.options.CloudInstance)
	})
}

// ForeignKey is the key that is published here but tagged for another cloud: no token of
// this cloud is signed with it.
func (e *Entra) ForeignKey() (*Key, error) {
	key, err := sharedForeignKey()
	other := "microsoftonline.us"
	if e.options.CloudInstance == other {
		other = "microsoftonline.com"
	}
	return e.scoped(key, err, tenantPlaceholder, other)
}

// scoped is a copy of a key that says whose tokens it may sign.
func (e *Entra) scoped(key *Key, err error, tenant, cloud string) (*Key, error) {
	if err != nil {
		return nil, err
	}
	scoped := *key
	scoped.Issuer, scoped.CloudInstance = e.IssuerOf(tenant), cloud
	return &scoped, nil
}

// serveKeys publishes the keys without alg, each with its certificate, and in version 2 with the issuer that
// it signs for: concrete in a tenant's own set, a template in the shared ones.
func (e *Entra) serveKeys(w http.ResponseWriter, _ *http.Request, at authority) {
	keys, cacheControl, err := e.publishedAt(at)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	set := []map[string]any{}
	for _, key := range keys {
		jwk, err := e.entraJWK(key, at)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		set = append(set, jwk)
	}
	if cacheControl != "" {
		w.Header().Set("Cache-Control", cacheControl)
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": set})
}

func (e *Entra) publishedAt(at authority) (keys []*Key, cacheControl string, err error) {
	if at.segment != segmentConsumers {
		if keys, cacheControl, err = e.keys.fetch(); err != nil {
			return nil, "", err
		}
		foreign, err := e.ForeignKey()
		if err != nil {
			return nil, "", err
		}
		keys = append(keys, foreign)
	}
	if at.tenant == nil {
		personal, cache, err := e.msaKeys.fetch()
		if err != nil {
			return nil, "", err
		}
		if cacheControl == "" {
			cacheControl = cache
		}
		keys = append(keys, personal...)
	}
	return keys, cacheControl, nil
}

func (e *Entra) entraJWK(key *Key, at authority) (map[string]any, error) {
	encoded, err := json.Marshal(key.JWK())
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	var jwk map[string]any
	if err := json.Unmarshal(encoded, &jwk); err != nil {
		return nil, fmt.Errorf("reading a key back: %w", err)
	}
	if key.CloudInstance != "" {
		jwk["cloud_instance_name"] = key.CloudInstance
	}
	if at.version == 2 && key.Issuer != "" {
		jwk["issuer"] = key.Issuer
		if at.tenant != nil {
			jwk["issuer"] = strings.Replace(key.Issuer, tenantPlaceholder, at.tenant.ID, 1)
		}
	}
	return jwk, nil
}
