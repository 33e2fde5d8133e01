package httpapi

import "skillcenter.io/hosting"

// ofInstance reads the parameter that restricts a list to an instance.
func (q *request) ofInstance() (string, hosting.ID) {
	text := q.param("instanceId")
	if text == "" {
		return "", hosting.ID{}
	}
	return text, q.instance("query parameter instanceId", text)
}

// itemAccess is the Access to an item of a list, by its id and that of its
// instance.
func (a *API) itemAccess(action Action, text, instanceID string) Access {
	access := Access{ID: text}
	if id, err := hosting.ParseID(text); err == nil {
		access = a.accessTo(id, text)
	}
	if instance, err := hosting.ParseID(instanceID); err == nil {
		access.Instance = a.whole(instance)
	}
	access.Action = action
	return access
}

// all keeps every item of a list.
func all[T any](T) bool { return true }
