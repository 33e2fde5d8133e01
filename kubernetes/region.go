package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"

	"skillcenter.io/hosting"
)

// region is a namespace and the client of its cluster.
type region struct {
	name      string
	namespace string
	client    clientset.Interface
	cluster   *cluster
	// configured tells that somebody asked for this region by name. One of
	// the protocol's regions that is not there is simply empty.
	configured bool
	// own is what this provider has written here.
	own ownWrites
}

// connect makes the regions. It reads kubeconfigs and the files that they
// name, and talks to no cluster. The error names each region that it is about.
func connect(config Config) (map[string]*region, error) {
	type source struct{ kubeconfig, context string }
	clusters := map[source]*cluster{}
	regions := map[string]*region{}
	places := map[place]string{}
	failures := &multierror.Error{ErrorFormat: joinErrors}
	for i, r := range config.Regions {
		from := source{r.Kubeconfig, r.Context}
		if clusters[from] == nil {
			c, err := newCluster(config, r)
			if err != nil {
				var bad *badSource
				if errors.As(err, &bad) && bad.own {
					bad.field = regionField(i) + "." + bad.field
				}
				failures = multierror.Append(failures, inRegion(r.Name, err))
				continue
			}
			clusters[from] = c
		}
		at := &region{name: r.Name, namespace: r.Namespace, client: clusters[from].client, cluster: clusters[from],
			configured: i == 0 || !isProtocolRegion(r)}
		if other, taken := places[at.place()]; taken {
			failures = multierror.Append(failures, inRegion(r.Name, &badSource{
				field: regionField(i) + ".namespace", allowed: "each namespace of a cluster once",
				err: fmt.Errorf("namespace %s of the same cluster is region %s already: its instances would have two ids", r.Namespace, other),
			}))
			continue
		}
		places[at.place()] = r.Name
		regions[r.Name] = at
	}
	if failures.Len() > 0 {
		return nil, hosting.Errorf(config.Name, hosting.InvalidConfig, hosting.InvalidArgument, "configuration: %w", failures)
	}
	return regions, nil
}

// place is where a region's objects are, however its kubeconfig is called. An
// address may lead elsewhere through a proxy or under another name, so those
// count too.
type place struct {
	host, serverName, namespace string
	proxy                       *cluster // proxies cannot be compared
}

func (at *region) place() place {
	config := at.cluster.config
	host := strings.ToLower(strings.TrimRight(config.Host, "/"))
	p := place{host: host + config.APIPath, serverName: config.ServerName, namespace: at.namespace}
	if config.Proxy != nil || config.Dial != nil || config.Transport != nil {
		p.proxy = at.cluster
	}
	return p
}

// isProtocolRegion tells whether a region is one that nobody had to configure.
func isProtocolRegion(r Region) bool {
	for _, name := range protocolRegions {
		if r == (Region{Name: name, Namespace: name}) {
			return true
		}
	}
	return false
}

// within gives the region a limited time for do. Its error names the region.
func (p *Provider) within(ctx context.Context, at *region, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, p.config.RegionTimeout)
	defer cancel()
	err := do(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = &clusterError{hosting.Unavailable, fmt.Sprintf("no answer within %s", p.config.RegionTimeout), err}
	}
	if err != nil {
		return inRegion(at.name, err)
	}
	return nil
}

// everywhere does something in all regions at once, within the limit of each,
// and returns what failed, nil if nothing did.
func (p *Provider) everywhere(ctx context.Context, do func(ctx context.Context, at *region) error) *multierror.Error {
	var failures multierror.Group
	for _, at := range p.regions {
		failures.Go(func() error {
			return p.within(ctx, at, func(ctx context.Context) error { return do(ctx, at) })
		})
	}
	return failures.Wait()
}

func inRegion(name string, err error) error { return fmt.Errorf("region %s: %w", name, err) }

// partial makes one error of those of several regions, nil if there are none.
func (p *Provider) partial(ctx context.Context, failures *multierror.Error, code hosting.Code, what string) error {
	if failures == nil {
		return nil
	}
	slices.SortFunc(failures.Errors, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return &hosting.Error{
		Provider: p.config.Name, Code: code, Reason: reasonOf(ctx, failures.Errors[0]),
		Message: fmt.Sprintf("%d of %d regions %s: %s", failures.Len(), len(p.regions), what, joinErrors(failures.Errors)),
		Err:     failures,
	}
}

// checkNamespace looks for the namespace of a region that seems to be empty:
// one that is missing lists as one that is empty. Who may not read it has no
// role in it either, and could not have listed anything in one that is missing;
// so that is no error.
func (at *region) checkNamespace(ctx context.Context) error {
	if !at.configured {
		return nil
	}
	_, err := at.client.CoreV1().Namespaces().Get(ctx, at.namespace, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}
