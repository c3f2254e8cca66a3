package provider

import "testing"

func TestPoolOf(t *testing.T) {
	for _, issuer := range []string{
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC", "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
		"https://cognito-idp-fips.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC", "https://cognito-idp.eusc-de-east-1.amazonaws.eu/eusc-de-east-1_AbC",
	} {
		if pool, ok := PoolOf(issuer); !ok || pool == "" {
			t.Errorf("%s: got %q, %v, want its pool", issuer, pool, ok)
		}
		if region, _, _ := cut(issuer); !ok(issuer, region) {
			t.Errorf("%s is not accepted for its own Region", issuer)
		}
	}
	for _, issuer := range []string{
		"", "https://cognito-idp.eu-west-1.amazonaws.com/", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC/",
		"http://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC", "https://cognito-idp.eu-west-1.amazonaws.com:443/eu-west-1_AbC",
		"https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_AbC", "https://cognito-idp.eu-west-1.amazonaws.com.evil.example/eu-west-1_AbC",
		"https://evil.example/eu-west-1_AbC", "https://user@cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC?x", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC#x",
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab%2FC", "https://cognito-idp.eu-west-1.amazonaws.cn/eu-west-1_AbC",
		"https://cognito-idp.evil.amazonaws.com/eu-west-1_AbC", "https://COGNITO-IDP.eu-west-1.amazonaws.com/eu-west-1_AbC",
		"https://other.eu-west-1.amazonaws.com/eu-west-1_AbC", "https://cognito-idp.eu-west-1.x.amazonaws.com/eu-west-1_AbC",
	} {
		if pool, ok := PoolOf(issuer); ok {
			t.Errorf("%s: got the pool %q, want none", issuer, pool)
		}
	}
}

func cut(issuer string) (region, pool string, found bool) {
	pool, found = PoolOf(issuer)
	for i := range pool {
		if pool[i] == '_' {
			return pool[:i], pool, found
		}
	}
	return "", pool, found
}

func ok(issuer, region string) bool {
	_, ok := FromDomain(nil, "x", "auth.example.com").WithIssuer(issuer, region)
	return ok
}

func TestHostRegion(t *testing.T) {
	for host, want := range map[string]string{
		"myapp.auth.eu-west-1.amazoncognito.com": "eu-west-1", "MyApp.Auth.eu-west-1.AmazonCognito.com": "eu-west-1",
		"myapp.auth-fips.us-gov-west-1.amazoncognito.com": "us-gov-west-1", "myapp.auth.eusc-de-east-1.amazoncognito.eu": "eusc-de-east-1",
		"auth.example.com": "", "myapp": "", "myapp.auth.eu-west-1.amazoncognito.evil.example": "", "myapp.auth.eu-west-1.amazoncognito.com.evil.example": "",
	} {
		if got := HostRegion(host); got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
	}
}

func TestTitle(t *testing.T) {
	for page, want := range map[string]string{
		"<html><head><TITLE>  Login pages unavailable </TITLE>": "Login pages unavailable", "<title>x": "", "": "", "no title": "", "<title></title>": "",
	} {
		if got := title(page); got != want {
			t.Errorf("%q: got %q, want %q", page, got, want)
		}
	}
}
