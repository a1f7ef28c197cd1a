package standin;

import java.util.Optional;
import java.util.function.Consumer;
import standin.cluster.Cluster;
import standin.config.Configuration;
import standin.database.SystemDatabase;
import standin.deploy.Applications;
import standin.http.Sessions;
import standin.search.SearchServer;

/** The parts of a running engine. */
public record Node(Home home, EngineVersion version, String name, Mode mode, Configuration configuration,
    LicenceHolder licence, SystemDatabase database, Optional<SearchServer> search, Optional<Cluster> cluster,
    Consumer<String> announce, NoteCache notes, Applications applications, Sessions sessions) {

  /** A node beyond the licence's limit serves nothing. */
  public boolean isLicensed() {
    return cluster.map(Cluster::isLicensed).orElse(true);
  }

  public boolean isHealthy() {
    return !mode.isMaintenance() && isLicensed() && database.isAvailable() && !Faults.healthFails();
  }
}
