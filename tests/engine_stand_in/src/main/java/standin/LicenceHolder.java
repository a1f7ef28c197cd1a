package standin;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Optional;
import standin.config.Settings;

/** The licence in use. An upload in the Cockpit replaces it at run time; a copied file does not. */
public final class LicenceHolder {
  private final Home home;
  private volatile Optional<Licence> licence;

  public LicenceHolder(Home home, Settings settings) throws IOException {
    this.home = home;
    this.licence = Licence.find(home, settings);
  }

  public Optional<Licence> get() {
    return licence;
  }

  public void upload(String text) throws IOException {
    Licence uploaded = Licence.of(text);
    Files.writeString(home.configuration().resolve("uploaded.lic"), text);
    licence = Optional.of(uploaded);
  }
}
