package standin.deploy;

import standin.config.ApplicationConfiguration;
import standin.database.Release;

/** A deployed application, with the configuration that came in its archive. */
public record Application(Release release, ApplicationConfiguration ownConfiguration) {
  public String name() {
    return release.application();
  }
}
