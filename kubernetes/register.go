package kubernetes

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/discovery"
)

// RegisterService implements [hosting.ServiceDiscovery]. The service is a
// Service of that name, so it has a DNS name; its aliases have none, and are
// known to DiscoverService alone. It goes with its instance.
//
// A Service that somebody else has made is never adopted: AlreadyExists. So is
// the name of an instance with ports, and that name with "-hl" after it if it
// is a statefulset; the instance itself may use neither, whatever its ports.
func (p *Provider) RegisterService(ctx context.Context, instanceID string, service hosting.ServiceRegistration) (hosting.ServiceRegistration, error) {
	t, err := p.find(hosting.ServiceFailed, instanceID)
	if err != nil {
		return hosting.ServiceRegistration{}, err
	}
	if err := service.Validate(); err != nil {
		return hosting.ServiceRegistration{}, p.refuseService(t, hosting.InvalidArgument, "%w", err)
	}
	a, err := p.anchorForChange(ctx, hosting.ServiceFailed, t)
	if err != nil {
		return hosting.ServiceRegistration{}, err
	}
	id := hosting.ID{Region: t.region.name, Type: t.kind.instanceType, Name: t.name}
	if err := discovery.Check(id, a.record.Desired.Spec.Ports, service); err != nil {
		return hosting.ServiceRegistration{}, p.refuseService(t, hosting.InvalidArgument, "%w", err)
	}
	if service.ServiceName == t.name || service.ServiceName == headlessName(t.name) {
		return hosting.ServiceRegistration{}, p.refuseService(t, hosting.AlreadyExists,
			"Service %s is for the instance's own endpoint: choose another name", service.ServiceName)
	}
	return p.register(ctx, t, a, discovery.Canonical(service, serviceHost(t.namespace, service.ServiceName)))
}

func (p *Provider) refuseService(t target, reason hosting.Reason, format string, args ...any) error {
	failed := hosting.Errorf(p.config.Name, hosting.ServiceFailed, reason, format, args...)
	failed.InstanceID = t.id
	return failed
}

// register makes the Service, or finds the one of the same registration.
func (p *Provider) register(ctx context.Context, t target, a *anchor, service hosting.ServiceRegistration) (hosting.ServiceRegistration, error) {
	ref := serviceRef{region: t.region, id: discovery.ID(t.region.name, service.ServiceName), name: service.ServiceName}
	wanted, err := p.registeredService(t, a, service)
	if err != nil {
		return hosting.ServiceRegistration{}, p.fail(ctx, hosting.ServiceFailed, t.id, "writing the registration", err)
	}
	// The one that is in the way may be gone when it is looked at.
	for range 3 {
		var created object
		err := retryOnConflict(ctx, func() (err error) {
			created, err = services.create(ctx, t.region, wanted)
			return err
		})
		if err == nil {
			return ref.registration(created.(*corev1.Service), nil)
		}
		if !apierrors.IsAlreadyExists(err) {
			return hosting.ServiceRegistration{}, p.fail(ctx, hosting.ServiceFailed, t.id, "creating "+describe(services, wanted), err)
		}
		found, err := services.get(ctx, t.region, wanted.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return hosting.ServiceRegistration{}, p.fail(ctx, hosting.ServiceFailed, t.id, "reading "+describe(services, wanted), err)
		}
		if err := p.isSameService(t, a, found, service); err != nil {
			return hosting.ServiceRegistration{}, err
		}
		return p.GetService(ctx, ref.id)
	}
	return hosting.ServiceRegistration{}, p.conflict(hosting.ServiceFailed, t.id, "the service is being registered and removed by others at this moment")
}

// isSameService checks that a Service that was found is this registration, and
// stays.
func (p *Provider) isSameService(t target, a *anchor, found object, service hosting.ServiceRegistration) error {
	if !p.isRegistration(found) {
		return p.refuseService(t, hosting.AlreadyExists, "%s exists and is not a service that was registered", describe(services, found))
	}
	if found.GetDeletionTimestamp() != nil {
		return p.conflict(hosting.ServiceFailed, t.id, "%s is still being removed", describe(services, found))
	}
	if !a.owns(found) {
		if keyOf(found) == (instanceKey{t.name, t.kind.instanceType}) {
			return p.conflict(hosting.ServiceFailed, t.id, "%s of a deleted instance is still being removed", describe(services, found))
		}
		return p.refuseService(t, hosting.AlreadyExists, "service %s is registered for instance %s", service.ServiceName, t.region.id(keyOf(found)))
	}
	have, err := decodeService(found.(*corev1.Service))
	if err != nil {
		return p.refuseService(t, hosting.Internal, "%w", err)
	}
	if fields := discovery.Differences(have, service); len(fields) > 0 {
		return p.refuseService(t, hosting.AlreadyExists, "service %s is registered otherwise: it differs in %s", service.ServiceName, strings.Join(fields, ", "))
	}
	return nil
}

// registeredService is the Service of a registration. It has the labels by
// which everything of the instance is found, and not those of the caller, which
// may change while it stays.
func (p *Provider) registeredService(t target, a *anchor, service hosting.ServiceRegistration) (*corev1.Service, error) {
	said, err := json.Marshal(service)
	if err != nil {
		return nil, err
	}
	all := p.ours()
	all[labelApp], all[labelName], all[labelType], all[labelService] = t.name, t.name, t.kind.instanceType, service.ServiceName
	for _, name := range append([]string{service.ServiceName}, service.Aliases...) {
		all[labelFoundBy+name] = ""
	}
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: service.ServiceName, Labels: all, OwnerReferences: []metav1.OwnerReference{a.ownerReference()},
			Annotations: map[string]string{
				annotationID: t.id, annotationCreatedAt: hosting.NewTime(time.Now()).String(), annotationRegistration: string(said),
			},
		},
		Spec: corev1.ServiceSpec{
			Selector: selectorFor(t.name, t.kind.instanceType),
			Ports: []corev1.ServicePort{{
				Name: portName(service.Port), Protocol: corev1.ProtocolTCP, Port: int32(service.Port), TargetPort: intstr.FromInt(service.Port),
			}},
		},
	}, nil
}

// UnregisterService implements [hosting.ServiceDiscovery].
func (p *Provider) UnregisterService(ctx context.Context, serviceID string) error {
	ref, err := p.findService(serviceID)
	if err != nil {
		return err
	}
	found, err := p.registered(ctx, ref)
	if err != nil {
		return p.serviceFailed(ctx, ref.region, "reading service "+ref.id, err)
	}
	if found.DeletionTimestamp != nil {
		return nil
	}
	err = services.delete(ctx, ref.region, ref.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &found.UID}})
	if ignoreNotFound(err) != nil {
		return p.serviceFailed(ctx, ref.region, "deleting "+describe(services, found), err)
	}
	return nil
}
