package cognitotest

import "net/http"

// words are the texts of the pages on which a person signs in, in one language. Where there is a %s,
// a name goes in.
type words struct {
	lang string

	// The sign-in page.
	signIn, continueTo, username, password, forgot, continueWith string
	wrong, disabled, expired, tooLong                            string

	// A forgotten password.
	resetTitle, resetLead, resetButton         string
	codeTitle, codeLead, outbox, code, badCode string
	newPassword, rule, tooShort, change, back  string

	// What comes after the password.
	changeTitle, changeLead                     string
	mfaTitle, mfaLead, mfaCode, badMFA, goAhead string
}

// dictionary begins with English, in which whoever has no language of these reads the pages. The
// pages that say what went wrong are in English only.
var dictionary = [...]words{{
	lang:   "en",
	signIn: "Sign in", continueTo: "to continue to %s", username: "Username", password: "Password",
	forgot: "Forgot your password?", continueWith: "Continue with %s",
	wrong: "Incorrect username or password.", disabled: "User is disabled.",
	expired: "This page has expired, or the browser refused its cookie. Please try again.",
	tooLong: "That took too long, or too many tries. Please sign in again.",

	resetTitle: "Reset your password", resetLead: "Enter your username. If it has an account, a code will be sent to it.", resetButton: "Send a code",
	codeTitle: "Choose a new password", codeLead: "Enter the code that was sent to your account. It works once, for one hour.",
	outbox: "This stand-in sends no e-mail. Its outbox shows the code.",
	code:   "Code", badCode: "That code is wrong or no longer valid.",
	newPassword: "New password", rule: "At least 8 characters", tooShort: "The new password needs 8 to 256 characters.",
	change: "Change password", back: "Back to sign-in",

	changeTitle: "Choose a new password", changeLead: "The password you have just used was a temporary one.",
	mfaTitle: "Enter the code from your app", mfaLead: "Your authenticator app shows 6 digits for this account.",
	mfaCode: "Code", badMFA: "That code is wrong or was used before. Wait for the next one.", goAhead: "Continue",
}, {
	lang:   "de",
	signIn: "Anmelden", continueTo: "um mit %s fortzufahren", username: "Benutzername", password: "Passwort",
	forgot: "Passwort vergessen?", continueWith: "Weiter mit %s",
	wrong: "Benutzername oder Passwort ist falsch.", disabled: "Dieses Konto ist deaktiviert.",
	expired: "Diese Seite ist abgelaufen, oder der Browser hat ihr Cookie abgelehnt. Bitte versuchen Sie es noch einmal.",
	tooLong: "Das hat zu lange gedauert oder zu viele Versuche gebraucht. Bitte melden Sie sich noch einmal an.",

	resetTitle: "Passwort zurücksetzen", resetLead: "Geben Sie Ihren Benutzernamen ein. Wenn es das Konto gibt, wird ihm ein Code geschickt.", resetButton: "Code senden",
	codeTitle: "Neues Passwort wählen", codeLead: "Geben Sie den Code ein, der Ihrem Konto geschickt wurde. Er gilt einmal und eine Stunde lang.",
	outbox: "Dieser Ersatz verschickt keine E-Mails. Der Code steht in seinem Postausgang.",
	code:   "Code", badCode: "Dieser Code ist falsch oder nicht mehr gültig.",
	newPassword: "Neues Passwort", rule: "Mindestens 8 Zeichen", tooShort: "Das neue Passwort braucht 8 bis 256 Zeichen.",
	change: "Passwort ändern", back: "Zurück zur Anmeldung",

	changeTitle: "Neues Passwort wählen", changeLead: "Das Passwort, das Sie gerade benutzt haben, war ein vorläufiges.",
	mfaTitle: "Code aus der App eingeben", mfaLead: "Ihre Authenticator-App zeigt 6 Ziffern für dieses Konto.",
	mfaCode: "Code", badMFA: "Dieser Code ist falsch oder wurde schon benutzt. Warten Sie auf den nächsten.", goAhead: "Weiter",
}, {
	lang:   "es",
	signIn: "Iniciar sesión", continueTo: "para continuar en %s", username: "Nombre de usuario", password: "Contraseña",
	forgot: "¿Ha olvidado la contraseña?", continueWith: "Continuar con %s",
	wrong: "El nombre de usuario o la contraseña no son correctos.", disabled: "Esta cuenta está desactivada.",
	expired: "Esta página ha caducado o el navegador ha rechazado su cookie. Inténtelo de nuevo.",
	tooLong: "Ha tardado demasiado o ha hecho demasiados intentos. Vuelva a iniciar sesión.",

	resetTitle: "Restablecer la contraseña", resetLead: "Escriba su nombre de usuario. Si tiene una cuenta, se le enviará un código.", resetButton: "Enviar un código",
	codeTitle: "Elija una contraseña nueva", codeLead: "Escriba el código que se ha enviado a su cuenta. Sirve una sola vez, durante una hora.",
	outbox: "Este sustituto no envía correos. El código está en su bandeja de salida.",
	code:   "Código", badCode: "Ese código no es correcto o ya no es válido.",
	newPassword: "Contraseña nueva", rule: "8 caracteres como mínimo", tooShort: "La contraseña nueva debe tener de 8 a 256 caracteres.",
	change: "Cambiar la contraseña", back: "Volver al inicio de sesión",

	changeTitle: "Elija una contraseña nueva", changeLead: "La contraseña que acaba de usar era temporal.",
	mfaTitle: "Escriba el código de su aplicación", mfaLead: "Su aplicación de autenticación muestra 6 cifras para esta cuenta.",
	mfaCode: "Código", badMFA: "Ese código no es correcto o ya se ha usado. Espere al siguiente.", goAhead: "Continuar",
}, {
	lang:   "fr",
	signIn: "Se connecter", continueTo: "pour continuer vers %s", username: "Nom d’utilisateur", password: "Mot de passe",
	forgot: "Mot de passe oublié ?", continueWith: "Continuer avec %s",
	wrong: "Nom d’utilisateur ou mot de passe incorrect.", disabled: "Ce compte est désactivé.",
	expired: "Cette page a expiré, ou le navigateur a refusé son cookie. Veuillez réessayer.",
	tooLong: "Cela a pris trop de temps ou trop d’essais. Veuillez vous reconnecter.",

	resetTitle: "Réinitialiser le mot de passe", resetLead: "Saisissez votre nom d’utilisateur. S’il a un compte, un code lui sera envoyé.", resetButton: "Envoyer un code",
	codeTitle: "Choisir un nouveau mot de passe", codeLead: "Saisissez le code envoyé à votre compte. Il sert une seule fois, pendant une heure.",
	outbox: "Cette doublure n’envoie pas de courriel. Sa boîte d’envoi montre le code.",
	code:   "Code", badCode: "Ce code est incorrect ou n’est plus valable.",
	newPassword: "Nouveau mot de passe", rule: "Au moins 8 caractères", tooShort: "Le nouveau mot de passe doit avoir de 8 à 256 caractères.",
	change: "Changer le mot de passe", back: "Retour à la connexion",

	changeTitle: "Choisir un nouveau mot de passe", changeLead: "Le mot de passe que vous venez d’utiliser était provisoire.",
	mfaTitle: "Saisir le code de votre application", mfaLead: "Votre application d’authentification affiche 6 chiffres pour ce compte.",
	mfaCode: "Code", badMFA: "Ce code est incorrect ou a déjà servi. Attendez le suivant.", goAhead: "Continuer",
}, {
	lang:   "ja",
	signIn: "サインイン", continueTo: "%s に進みます", username: "ユーザー名", password: "パスワード",
	forgot: "パスワードをお忘れですか？", continueWith: "%s で続ける",
	wrong: "ユーザー名またはパスワードが正しくありません。", disabled: "このアカウントは無効になっています。",
	expired: "このページの有効期限が切れたか、ブラウザーが Cookie を拒否しました。もう一度お試しください。",
	tooLong: "時間または回数の制限を超えました。もう一度サインインしてください。",

	resetTitle: "パスワードの再設定", resetLead: "ユーザー名を入力してください。アカウントがあれば、確認コードを送信します。", resetButton: "コードを送信",
	codeTitle: "新しいパスワードの設定", codeLead: "アカウントに送信されたコードを入力してください。コードは一度だけ、1 時間有効です。",
	outbox: "この代役はメールを送信しません。コードは送信トレイで確認できます。",
	code:   "コード", badCode: "コードが正しくないか、すでに無効です。",
	newPassword: "新しいパスワード", rule: "8 文字以上", tooShort: "新しいパスワードは 8～256 文字にしてください。",
	change: "パスワードを変更", back: "サインインに戻る",

	changeTitle: "新しいパスワードの設定", changeLead: "入力されたパスワードは仮のものです。",
	mfaTitle: "認証アプリのコードを入力", mfaLead: "認証アプリに、このアカウントの 6 桁の数字が表示されています。",
	mfaCode: "コード", badMFA: "コードが正しくないか、使用済みです。次のコードをお待ちください。", goAhead: "続ける",
}}

const langCookie = "lang" // the name that AWS documents

// wordsFor goes by the request's lang, or by the one that this browser came with the last time.
func (p *Pool) wordsFor(r *http.Request, req *authRequest) *words {
	lang := req.lang
	if c, err := r.Cookie(langCookie); err == nil && lang == "" && !p.cfg.ClassicUI {
		lang = c.Value
	}
	for i := range dictionary {
		if dictionary[i].lang == lang {
			return &dictionary[i]
		}
	}
	return &dictionary[0]
}
