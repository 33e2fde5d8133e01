package httpapi

func (a *API) serviceRoutes() []route { return nil }
