package httpapi

func (a *API) costRoutes() []route { return nil }
