package standin;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import javax.net.ServerSocketFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import standin.config.Settings;
import standin.http.HttpServer;

/** The ports of the web server. */
final class Connectors {
  private static final String HTTP = "Connector.HTTP.";
  private static final String HTTPS = "Connector.HTTPS.";

  private Connectors() {}

  static void open(HttpServer server, Settings settings, Home home) throws Exception {
    if (settings.on(HTTP + "Enabled", true)) {
      server.listen(ServerSocketFactory.getDefault(), settings.get(HTTP + "Address", ""),
          settings.number(HTTP + "Port", 8080));
    }
    if (settings.on(HTTPS + "Enabled", false)) {
      server.listen(encrypted(settings, home), settings.get(HTTPS + "Address", ""),
          settings.number(HTTPS + "Port", 8443));
    }
  }

  private static ServerSocketFactory encrypted(Settings settings, Home home) throws Exception {
    Path file = home.resolve(settings.get(HTTPS + "KeystoreFile", "configuration/keystore.p12"));
    char[] password = settings.get(HTTPS + "KeystorePass", "changeit").toCharArray();
    KeyStore keys = KeyStore.getInstance(settings.get(HTTPS + "KeystoreType", "PKCS12"));
    try (InputStream in = Files.newInputStream(file)) {
      keys.load(in, password);
    }
    if (keys.size() == 0) {
      throw new StartFailure("There is no key in " + file);
    }
    var managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    managers.init(keys, password);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    return context.getServerSocketFactory();
  }
}
